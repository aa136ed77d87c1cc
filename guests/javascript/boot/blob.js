// Blob and File: bytes with a type and a name, in memory.
import * as native from "oacp:native";
import { bytesOf } from "./encoding.js";
import { showBy } from "./inspect.js";
import { concat, streamOf } from "./stream.js";

/** (blob) → its bytes, to be read only */
export let contentOf;

function partOf(part) {
  if (part instanceof Blob) return contentOf(part);
  if (ArrayBuffer.isView(part) || part instanceof ArrayBuffer) return bytesOf(part, "Blob");
  return native.encode(`${part}`);
}

export class Blob {
  #bytes;
  #type;

  static {
    contentOf = (blob) => blob.#bytes;
    showBy((value) => (#bytes in value ? { size: value.#bytes.length, type: value.#type } : undefined));
  }

  constructor(parts = [], options = {}) {
    if (parts === null || typeof parts !== "object" || typeof parts[Symbol.iterator] !== "function") throw new TypeError("Blob: the parts are a list");
    this.#bytes = concat(Array.from(parts, partOf));
    const type = `${options?.type ?? ""}`;
    this.#type = /[^ -~]/.test(type) ? "" : type.toLowerCase();
  }
  get size() { return this.#bytes.length; }
  get type() { return this.#type; }

  slice(start, end, type = "") {
    return new Blob([this.#bytes.slice(start, end)], { type });
  }
  async arrayBuffer() { return this.#bytes.slice().buffer; }
  async bytes() { return this.#bytes.slice(); }
  async text() { return native.decode(this.#bytes, false); }
  stream() { return streamOf(this.#bytes.slice()); }
}

export class File extends Blob {
  #name;
  #lastModified;

  constructor(parts, name, options = {}) {
    if (arguments.length < 2) throw new TypeError("File: parts and a name are needed");
    super(parts, options);
    this.#name = `${name}`;
    this.#lastModified = options?.lastModified === undefined ? Date.now() : Math.trunc(Number(options.lastModified)) || 0;
  }
  get name() { return this.#name; }
  get lastModified() { return this.#lastModified; }
}
