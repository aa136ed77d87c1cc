// Counts the requests of an access log by status, and names the slowest path.
const LINE = /^(?<host>\S+) "(?<method>[A-Z]+) (?<path>\S+)" (?<status>\d{3}) (?<ms>\d+)ms$/;

function run(input) {
  const byStatus = {};
  const skipped = [];
  let slowest = null;
  input.log.trim().split("\n").forEach((line, number) => {
    const found = LINE.exec(line);
    if (found === null) return skipped.push(number + 1);
    const { path, status, ms } = found.groups;
    byStatus[status] = (byStatus[status] ?? 0) + 1;
    if (slowest === null || Number(ms) > slowest.ms) slowest = { path, ms: Number(ms) };
  });
  if (skipped.length > 0) console.warn(`skipped ${skipped.length} line(s)`, skipped);
  return { byStatus, slowest, skipped };
}
