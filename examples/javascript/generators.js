// Primes by a chain of generators; iterator helpers take what is asked for, and no more is computed.
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
  const twins = primes()
    .filter((p) => p % 6 === 5)
    .map((p) => [p, p + 2])
    .take(count)
    .toArray();
  let sum = 0;
  for (const p of primes()) {
    if (p >= below) break;
    sum += p;
  }
  return { candidates: twins, sum };
}
