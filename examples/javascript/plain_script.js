// A plain script: no run, no main; what it prints is the result.
const planets = [
  { name: "Mercury", days: 88 },
  { name: "Venus", days: 224.7 },
  { name: "Mars", days: 687 },
];

for (const { name, days } of planets) {
  console.log("%s: %s years", name.padEnd(8), (days / 365.25).toFixed(2));
}
setTimeout(() => console.log({ planets: planets.length, names: new Set(planets.map((one) => one.name)) }), 20);
