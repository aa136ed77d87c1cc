// FormData, and how it is sent.
import * as native from "oacp:native";
import { Blob, File, contentOf } from "./blob.js";
import { concat } from "./stream.js";

function entry(name, value, filename) {
  if (!(value instanceof Blob)) {
    if (filename !== undefined) throw new TypeError("FormData: only a Blob has a file name");
    return [`${name}`.toWellFormed(), `${value}`.toWellFormed()];
  }
  if (!(value instanceof File) || filename !== undefined) value = new File([value], filename ?? value.name ?? "blob", { type: value.type });
  return [`${name}`.toWellFormed(), value];
}

export class FormData {
  #list = [];

  constructor(form) {
    if (form !== undefined) throw new TypeError("FormData: there are no forms here");
  }

  append(name, value, filename) { this.#list.push(entry(name, value, filename)); }
  delete(name) { this.#list = this.#list.filter((one) => one[0] !== `${name}`); }
  get(name) { return this.#list.find((one) => one[0] === `${name}`)?.[1] ?? null; }
  getAll(name) { return this.#list.filter((one) => one[0] === `${name}`).map((one) => one[1]); }
  has(name) { return this.#list.some((one) => one[0] === `${name}`); }

  set(name, value, filename) {
    const made = entry(name, value, filename);
    const first = this.#list.findIndex((one) => one[0] === made[0]);
    if (first < 0) {
      this.#list.push(made);
    } else {
      this.#list[first] = made;
      this.#list = this.#list.filter((one, i) => i <= first || one[0] !== made[0]);
    }
  }

  forEach(callback, self) {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  *keys() { for (const one of this.#list) yield one[0]; }
  *values() { for (const one of this.#list) yield one[1]; }
  *entries() { for (const one of this.#list) yield [...one]; }
}
Object.defineProperty(FormData.prototype, Symbol.iterator, { value: FormData.prototype.entries, writable: true, configurable: true });

const lines = (text) => text.replace(/\r\n?|\n/g, "\r\n");
const quoted = (text) => text.replace(/[\r\n"]/g, (c) => (c === "\r" ? "%0D" : c === "\n" ? "%0A" : "%22"));

/** The bytes and the type of a form as `multipart/form-data`. */
export function multipart(form) {
  const random = new Uint8Array(16);
  native.fill(random);
  const boundary = `----oacp${random.toHex()}`;
  const parts = [];
  for (const [name, value] of form) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(lines(name))}"`;
    if (value instanceof Blob) {
      const type = value.type === "" ? "application/octet-stream" : value.type;
      parts.push(native.encode(`${head}; filename="${quoted(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`), contentOf(value), native.encode("\r\n"));
    } else {
      parts.push(native.encode(`${head}\r\n\r\n${lines(value)}\r\n`));
    }
  }
  parts.push(native.encode(`--${boundary}--\r\n`));
  return { bytes: concat(parts), type: `multipart/form-data; boundary=${boundary}` };
}
