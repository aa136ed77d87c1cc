// Builds, writes, parses and folds a large JSON document.
function run({ rows }) {
  const table = Array.from({ length: rows }, (_, i) => ({
    id: i,
    name: `row ${i}`,
    tags: ["a", "b", "c"].slice(i % 3),
    nested: { odd: i % 2 === 1, third: i / 4, text: "ü".repeat(i % 5) },
  }));
  const text = JSON.stringify(table);
  const parsed = JSON.parse(text, (key, value) => (key === "third" ? value * 4 : value));
  const sum = parsed.reduce((total, row) => total + row.nested.third, 0);
  return { characters: text.length, sum, last: parsed.at(-1) };
}
