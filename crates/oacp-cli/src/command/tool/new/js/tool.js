// The tool @NAME@: what agents are told of it is read off the comment above the function.

/**
 * The mean of some numbers.
 * @param {number[]} numbers - the numbers, at least one
 * @returns {number}
 */
export function @NAME@(numbers) {
  if (numbers.length === 0) throw new Error("there are no numbers");
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
