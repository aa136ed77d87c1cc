// The tool @NAME@: what agents are told of it is read off the function's types and the comment above it.

/** The mean of some numbers. */
export function @NAME@(numbers: number[]): number {
  if (numbers.length === 0) throw new Error("there are no numbers");
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
