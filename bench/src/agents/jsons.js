export function run() {
  let rows = Array.from({ length: 3000 }, (_, n) => ({ id: n, name: `row ${n}`, tags: ["a", "b", String(n)], score: n / 7 }));
  for (let i = 0; i < 5; i++) rows = JSON.parse(JSON.stringify(rows));
  return rows.length;
}
