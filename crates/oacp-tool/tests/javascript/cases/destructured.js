const MAX = 10;

/**
 * Searches the catalogue.
 * @param {object} args
 * @param {string} args.query - what to look for
 * @param {number} [args.limit=10]
 * @param {string[]} [args.tags]
 * @param {{minimum: number, maximum?: number}} [args.price]
 * @returns {string[]}
 */
export function search({ query, limit = 10, tags = [], price = undefined }) {
  return [];
}

/**
 * Flat tags do as well.
 * @param {string} query
 * @param {number} limit
 */
export const find = ({ query, limit = MAX, exact = false }) => [];

/** @type {number} */
export const version = 1;

/**
 * A type for the object.
 * @param {{ id: string, parts?: Array<{name: string, size: ?number}> }} args
 * @return {boolean}
 */
export const check = function ({ id, parts: [first] = [] }) {
  return true;
};
