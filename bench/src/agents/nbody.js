export function run() {
  const bodies = [[0, 0, 0, 0, 39.5], [4.84, -1.16, 0.6, 2.81, 0.038], [8.34, 4.12, -1.01, 1.82, 0.011]];
  for (let step = 0; step < 20000; step++) {
    for (let i = 0; i < bodies.length; i++) {
      for (let j = i + 1; j < bodies.length; j++) {
        const a = bodies[i], b = bodies[j];
        const dx = a[0] - b[0], dy = a[1] - b[1];
        const pull = 0.001 / Math.sqrt(dx * dx + dy * dy) ** 3;
        a[2] -= dx * b[4] * pull; a[3] -= dy * b[4] * pull;
        b[2] += dx * a[4] * pull; b[3] += dy * a[4] * pull;
      }
    }
    for (const body of bodies) { body[0] += 0.001 * body[2]; body[1] += 0.001 * body[3]; }
  }
  return bodies;
}
