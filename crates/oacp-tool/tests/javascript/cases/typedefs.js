/**
 * A place.
 * @typedef {object} Place
 * @property {string} name - as on a map
 * @property {number} latitude
 * @property {number} longitude
 * @property {'city' | 'village'} [kind='city']
 */

/** @typedef {{ value: string, children: Tree[] }} Tree a tree of words */
/** @typedef {'asc'|'desc'|null} Order */
/** @typedef {Object.<string, Array.<number>>} Table */

/**
 * The distance between two places.
 * @param {Place} from
 * @param {Place} to
 * @param {Order} [order]
 * @returns {Promise<number>}
 */
export async function distance(from, to, order) {
  return 0;
}

/**
 * The words of a tree.
 * @param {Tree} tree
 * @param {Table} [table]
 * @param {[number, number]} range
 * @param {?string} prefix
 * @param {*} anything
 * @returns {Tree}
 */
export function words(tree, table, range, prefix, anything) {
  return tree;
}
