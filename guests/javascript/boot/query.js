// URLSearchParams.
import * as native from "oacp:native";
import { percentDecode } from "./host.js";

const UNRESERVED = /^[A-Za-z0-9*._-]$/;

function encode(text) {
  let output = "";
  for (const c of text.toWellFormed()) {
    if (UNRESERVED.test(c)) output += c;
    else if (c === " ") output += "+";
    else for (const byte of native.encode(c)) output += `%${byte < 16 ? "0" : ""}${byte.toString(16).toUpperCase()}`;
  }
  return output;
}

const decode = (text) => native.decode(percentDecode(text.replaceAll("+", " ")), false);

function parse(text) {
  const list = [];
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    list.push(equals < 0 ? [decode(pair), ""] : [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))]);
  }
  return list;
}

const text = (value) => `${value}`.toWellFormed();

export let bindQuery; // (params, changed): `changed` is told each new text
export let setQuery; // (params, text)

function* iterate(params, list, pick) {
  for (let i = 0; i < list().length; i++) yield pick(list()[i]);
}

export class URLSearchParams {
  #list = [];
  #changed;

  static {
    bindQuery = (params, changed) => void (params.#changed = changed);
    setQuery = (params, query) => void (params.#list = parse(query));
  }

  constructor(init = "") {
    if ((typeof init === "object" && init !== null) || typeof init === "function") {
      if (init[Symbol.iterator] !== undefined && init[Symbol.iterator] !== null) {
        for (const pair of init) {
          if (pair === null || (typeof pair !== "object" && typeof pair !== "function") || typeof pair[Symbol.iterator] !== "function") {
            throw new TypeError("URLSearchParams: each pair must be iterable");
          }
          const both = [...pair];
          if (both.length !== 2) throw new TypeError("URLSearchParams: each pair has a name and a value");
          this.#list.push(both.map(text));
        }
      } else {
        for (const key of Reflect.ownKeys(init)) {
          if (!Object.getOwnPropertyDescriptor(init, key)?.enumerable) continue;
          const name = text(key);
          const found = this.#list.find((pair) => pair[0] === name);
          if (found !== undefined) found[1] = text(init[key]);
          else this.#list.push([name, text(init[key])]);
        }
      }
    } else {
      const query = text(init);
      this.#list = parse(query[0] === "?" ? query.slice(1) : query);
    }
  }

  #update() {
    this.#changed?.(this.toString());
  }

  get size() { return this.#list.length; }

  append(name, value) {
    this.#list.push([text(name), text(value)]);
    this.#update();
  }

  delete(name, value) {
    name = text(name);
    if (value !== undefined) value = text(value);
    this.#list = this.#list.filter((pair) => pair[0] !== name || (value !== undefined && pair[1] !== value));
    this.#update();
  }

  get(name) {
    name = text(name);
    return this.#list.find((pair) => pair[0] === name)?.[1] ?? null;
  }

  getAll(name) {
    name = text(name);
    return this.#list.filter((pair) => pair[0] === name).map((pair) => pair[1]);
  }

  has(name, value) {
    name = text(name);
    if (value !== undefined) value = text(value);
    return this.#list.some((pair) => pair[0] === name && (value === undefined || pair[1] === value));
  }

  set(name, value) {
    name = text(name);
    value = text(value);
    const first = this.#list.findIndex((pair) => pair[0] === name);
    if (first < 0) this.#list.push([name, value]);
    else {
      this.#list[first] = [name, value];
      this.#list = this.#list.filter((pair, i) => i <= first || pair[0] !== name);
    }
    this.#update();
  }

  sort() {
    this.#list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#update();
  }

  forEach(callback, self) {
    for (let i = 0; i < this.#list.length; i++) {
      const [name, value] = this.#list[i];
      callback.call(self, value, name, this);
    }
  }

  keys() { return iterate(this, () => this.#list, (pair) => pair[0]); }
  values() { return iterate(this, () => this.#list, (pair) => pair[1]); }
  entries() { return iterate(this, () => this.#list, (pair) => [...pair]); }

  toString() {
    return this.#list.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  }
}
Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, { value: URLSearchParams.prototype.entries, writable: true, configurable: true });
for (const name of ["size", "append", "delete", "get", "getAll", "has", "set", "sort", "forEach", "keys", "values", "entries", "toString"]) {
  Object.defineProperty(URLSearchParams.prototype, name, { enumerable: true });
}
Object.defineProperty(URLSearchParams.prototype, Symbol.toStringTag, { value: "URLSearchParams", configurable: true });
