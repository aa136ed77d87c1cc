// Primes by a chain of generators, and where their twins may be. Iterator helpers compute only what is
// asked for.
function* from(n) {
  for (;;) yield n++;
}

function* primes() {
  const known = [];
  for (const n of from(2)) {
    if (known.every((p) => p * p > n || n % p !== 0)) {
      known.push(n);
      yield n;
    }
  }
}

export function run({ count, below }) {
  const candidates = primes()
    .filter((p) => p % 6 === 5)
    .map((p) => [p, p + 2])
    .take(count)
    .toArray();
  let sum = 0;
  for (const p of primes()) {
    if (p >= below) break;
    sum += p;
  }
  return { candidates, sum };
}
