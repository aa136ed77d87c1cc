// Randomness: a new draw each run, and the same draw again when a run is replayed.
function shuffle(items) {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

function run({ names, draws }) {
  const dice = Array.from({ length: draws }, () => 1 + Math.floor(Math.random() * 6));
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return {
    ticket: crypto.randomUUID(),
    order: shuffle(names),
    mean: dice.reduce((sum, die) => sum + die, 0) / draws,
    nonce: [...bytes],
    drawnAt: new Date().toISOString(),
  };
}
