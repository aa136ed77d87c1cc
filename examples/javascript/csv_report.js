// Totals a CSV file by region. Fields may be quoted, with commas and doubled quotes inside.
function* parseCsv(text) {
  let row = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    if (row.length === 0 && end === "" && !quoted && !plain) return;
    row.push(quoted !== undefined ? quoted.replaceAll('""', '"') : plain);
    if (end !== ",") {
      yield row;
      row = [];
    }
  }
}

export default function main(input) {
  const [header, ...rows] = parseCsv(input.csv);
  const records = rows.map((row) => Object.fromEntries(row.map((value, i) => [header[i], value])));
  const totals = new Map();
  for (const { region, amount } of records) totals.set(region, (totals.get(region) ?? 0) + Number(amount));
  const regions = [...totals].sort((a, b) => b[1] - a[1]).map(([region, total]) => ({ region, total: total.toFixed(2) }));
  return { rows: records.length, regions, customers: records.map((record) => record.customer) };
}
