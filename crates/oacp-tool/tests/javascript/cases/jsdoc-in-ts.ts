/**
 * Rolls dice.
 * @param count - how many
 * @param {integer} sides - of each
 */
export function roll(count: number, sides = 6, seed?: string): void {}
