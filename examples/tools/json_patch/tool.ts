// JSON Patch (RFC 6902): changes of a JSON document that are themselves JSON.

/** One change. `path` and `from` are JSON Pointers (RFC 6901), as `/lines/0/price`; `-` stands for the end of an array. */
export type Operation =
  | { op: "add" | "replace" | "test"; path: string; value: unknown }
  | { op: "remove"; path: string }
  | { op: "move" | "copy"; path: string; from: string };

/**
 * Applies a JSON Patch (RFC 6902) to a JSON value: all of its operations, in order, or none.
 *
 * @param target The JSON to change.
 * @param patch The operations.
 * @returns The changed document.
 */
export function json_patch(target: unknown, patch: Operation[]): unknown {
  // The document is a member of a holder, so that it can be replaced like any other value.
  const holder: Container = { root: target };
  for (const [number, operation] of patch.entries()) {
    try {
      apply(holder, operation);
    } catch (error) {
      throw new Error(`operation ${number}: ${(error as Error).message}`);
    }
  }
  return holder.root;
}

function apply(holder: Container, operation: Operation): void {
  const at = (pointer: string) => find(holder, pointer);
  switch (operation.op) {
    case "add":
      return insert(at(operation.path), operation.value);
    case "replace":
      return replace(at(operation.path), operation.value);
    case "remove":
      return void take(at(operation.path));
    case "copy":
      return insert(at(operation.path), structuredClone(read(at(operation.from))));
    case "move": {
      if (operation.path.startsWith(`${operation.from}/`)) throw new Error("a value cannot be moved into itself");
      const value = take(at(operation.from));
      return insert(at(operation.path), value);
    }
    case "test":
      if (!isEqual(read(at(operation.path)), operation.value)) throw new Error(`the value at \`${operation.path}\` is another`);
  }
}

type Container = Record<string, unknown> | unknown[];

/** Where a value is, or would be. */
interface Place {
  container: Container;
  key: string;
  pointer: string;
}

function find(holder: Container, pointer: string): Place {
  if (pointer !== "" && !pointer.startsWith("/")) throw new Error(`\`${pointer}\` is no JSON Pointer: it begins with \`/\``);
  const keys = pointer.split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  let place: Place = { container: holder, key: "root", pointer };
  for (const key of keys) {
    const container = read(place);
    if (typeof container !== "object" || container === null) throw new Error(`there is nothing at \`${pointer}\``);
    place = { container: container as Container, key, pointer };
  }
  return place;
}

/** The index that an array has for a key: digits without leading zeros, at most `last`. */
function index({ key, pointer }: Place, last: number): number {
  const found = /^(0|[1-9]\d*)$/.test(key) ? Number(key) : NaN;
  if (!(found <= last)) throw new Error(`there is nothing at \`${pointer}\``);
  return found;
}

function read(place: Place): unknown {
  const { container, key, pointer } = place;
  if (Array.isArray(container)) return container[index(place, container.length - 1)];
  if (!Object.hasOwn(container, key)) throw new Error(`there is nothing at \`${pointer}\``);
  return container[key];
}

function take(place: Place): unknown {
  const value = read(place);
  if (Array.isArray(place.container)) place.container.splice(Number(place.key), 1);
  else delete place.container[place.key];
  return value;
}

function replace(place: Place, value: unknown): void {
  read(place);
  if (Array.isArray(place.container)) place.container[Number(place.key)] = value;
  else insert(place, value);
}

function insert(place: Place, value: unknown): void {
  const { container, key } = place;
  if (Array.isArray(container)) container.splice(key === "-" ? container.length : index(place, container.length), 0, value);
  // Not an assignment, to which `__proto__` would mean something else.
  else Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true });
}

function isEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const [mine, others] = [Object.entries(a), new Map(Object.entries(b))];
  if (Array.isArray(a) !== Array.isArray(b) || mine.length !== others.size) return false;
  return mine.every(([key, value]) => others.has(key) && isEqual(value, others.get(key)));
}
