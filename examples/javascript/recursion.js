// The eight queens, and what happens to a recursion that never ends: an error that can be caught.
function queens(size, placed = []) {
  if (placed.length === size) return [placed];
  const solutions = [];
  for (let column = 0; column < size; column++) {
    const free = placed.every((other, row) => other !== column && Math.abs(other - column) !== placed.length - row);
    if (free) solutions.push(...queens(size, [...placed, column]));
  }
  return solutions;
}

const endless = (n) => endless(n + 1) + 1;

function run({ size }) {
  const solutions = queens(size);
  let overflow;
  try {
    endless(0);
  } catch (error) {
    overflow = String(error);
  }
  return { count: solutions.length, first: solutions[0], overflow };
}
