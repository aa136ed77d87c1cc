// Headers, as in the Fetch Standard.
import { showBy } from "./inspect.js";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export const isToken = (text) => TOKEN.test(text);

/** `value` as what a header can hold: its characters are bytes. */
function valueOf(value, name) {
  value = `${value}`.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  const wrong = /[\0\n\r]|[^\0-\xff]/.exec(value);
  if (wrong !== null) {
    const unit = wrong[0].charCodeAt(0);
    throw new TypeError(`Headers: the value of \`${name}\` holds ${unit > 255 ? `\`${wrong[0]}\`, which is not a byte` : `the control character ${unit}`}`);
  }
  return value;
}

function nameOf(name) {
  name = `${name}`;
  if (!isToken(name)) throw new TypeError(`Headers: \`${name}\` is not the name of a header`);
  return name.toLowerCase();
}

export let listOf; // (headers) → its list of [name, value], to be read only
export let freeze; // (headers): they are a response's, as it came

function* iterate(headers, pick) {
  // Changes that are made meanwhile show, as in the standard.
  for (let i = 0, rows; i < (rows = sorted(listOf(headers))).length; i++) yield pick(rows[i]);
}

/** One row for a name, but for `set-cookie`, whose values cannot be joined. */
function sorted(list) {
  const rows = [];
  for (const [name, value] of list) {
    const row = name === "set-cookie" ? undefined : rows.find((one) => one[0] === name);
    if (row === undefined) rows.push([name, value]);
    else row[1] += `, ${value}`;
  }
  return rows.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
}

export class Headers {
  #list = [];
  #frozen = false;

  static {
    listOf = (headers) => headers.#list;
    freeze = (headers) => void (headers.#frozen = true);
    showBy((value) => (#list in value ? Object.fromEntries(sorted(value.#list)) : undefined));
  }

  constructor(init) {
    if (init === undefined) return;
    if (init === null || (typeof init !== "object" && typeof init !== "function")) throw new TypeError("Headers: neither an object nor a list of pairs");
    if (typeof init[Symbol.iterator] === "function") {
      for (const pair of init) {
        const both = typeof pair === "object" && pair !== null ? [...pair] : [];
        if (both.length !== 2) throw new TypeError("Headers: each pair has a name and a value");
        this.append(both[0], both[1]);
      }
    } else {
      for (const key of Reflect.ownKeys(init)) {
        if (!Object.getOwnPropertyDescriptor(init, key)?.enumerable) continue;
        if (typeof key === "symbol") throw new TypeError("Headers: a name is a string");
        this.append(key, init[key]);
      }
    }
  }

  #change() {
    if (this.#frozen) throw new TypeError("Headers: these came with a response and cannot be changed; copy them by `new Headers(…)`");
  }

  append(name, value) {
    name = nameOf(name);
    value = valueOf(value, name);
    this.#change();
    this.#list.push([name, value]);
  }

  delete(name) {
    name = nameOf(name);
    this.#change();
    this.#list = this.#list.filter((one) => one[0] !== name);
  }

  get(name) {
    name = nameOf(name);
    const values = this.#list.filter((one) => one[0] === name).map((one) => one[1]);
    return values.length === 0 ? null : values.join(", ");
  }

  getSetCookie() {
    return this.#list.filter((one) => one[0] === "set-cookie").map((one) => one[1]);
  }

  has(name) {
    name = nameOf(name);
    return this.#list.some((one) => one[0] === name);
  }

  set(name, value) {
    name = nameOf(name);
    value = valueOf(value, name);
    this.#change();
    const first = this.#list.find((one) => one[0] === name);
    if (first === undefined) {
      this.#list.push([name, value]);
    } else {
      first[1] = value;
      this.#list = this.#list.filter((one) => one === first || one[0] !== name);
    }
  }

  forEach(callback, self) {
    if (typeof callback !== "function") throw new TypeError("Headers.forEach: the callback is not a function");
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  keys() { return iterate(this, (row) => row[0]); }
  values() { return iterate(this, (row) => row[1]); }
  entries() { return iterate(this, (row) => row); }
}
Object.defineProperty(Headers.prototype, Symbol.iterator, { value: Headers.prototype.entries, writable: true, configurable: true });
