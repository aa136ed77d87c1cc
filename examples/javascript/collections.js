// Map, Set, grouping and deep copies: what changed between two versions of a catalogue.
function run({ before, after }) {
  const known = new Map(before.map((item) => [item.id, item]));
  const ids = new Set(after.map((item) => item.id));
  const copy = structuredClone(known);
  for (const item of after) copy.set(item.id, { ...copy.get(item.id), ...item });
  const byTag = Object.groupBy([...copy.values()], (item) => item.tag ?? "none");
  return {
    added: [...ids.difference(known)],
    removed: [...new Set(known.keys()).difference(ids)],
    changed: after.filter((item) => known.has(item.id) && known.get(item.id).price !== item.price).map((item) => item.id),
    byTag: Object.fromEntries(Object.entries(byTag).map(([tag, items]) => [tag, items.map((item) => item.id).toSorted()])),
    untouched: known.size,
  };
}
