/**
 * Greets.
 * @param {string} name
 * @returns {string}
 */
export default async function greet(name) {
  return `hello ${name}`;
}

/**
 * Of no interest to agents.
 * @internal
 */
export function helper(anything) {}
