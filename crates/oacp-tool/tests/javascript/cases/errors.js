/** Lacks types. */
export function untyped(city, days = 3) {}

/**
 * @param {string} text
 */
export function undescribed(text) {}

/**
 * Has a slip.
 * @param {string} citty
 */
export function misspelt(city) {}

/**
 * Takes what JSON does not have.
 * @param {Date} when
 * @param {bigint} id
 * @param {Map<string, number>} table
 * @param {Plaec} place
 * @param {function(string): void} callback
 * @param {string|} broken
 * @returns {Set<string>}
 */
export function unknown(when, id, table, place, callback, broken) {}

/** @typedef {{x: number}} Place */

/** Yields. */
export function* generate() {}

/** Takes many. @param {string} first */
export function rest(...all) {}

/**
 * Takes an array apart.
 * @param {string[]} list
 */
export function array([first], second) {}

/**
 * Its default is wrong.
 * @param {string} [text=3]
 * @param {string} [other]
 */
export function mistaken(text, other = 4) {}

/**
 * @param {string} constructor
 */
export default function (constructor) {}
