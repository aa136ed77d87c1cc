export function lookUp(document, pointer) {
  let at;
  try {
    at = JSON.parse(document);
  } catch {
    throw "the document is no JSON";
  }
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (at === null || typeof at !== "object" || !Object.hasOwn(at, name)) throw `nothing stands at ${pointer}`;
    at = at[name];
  }
  return JSON.stringify(at);
}
