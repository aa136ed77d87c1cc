// TextEncoder and TextDecoder.
import * as native from "oacp:native";

const { fromCharCode } = String;

export class TextEncoder {
  get encoding() { return "utf-8"; }

  encode(input = "") {
    return native.encode(`${input}`);
  }

  encodeInto(source, destination) {
    if (!(destination instanceof Uint8Array)) throw new TypeError("encodeInto: the destination is not a Uint8Array");
    source = `${source}`;
    let read = 0;
    let written = 0;
    const room = destination.length;
    // Three bytes for a unit are enough: what surely fits is encoded at once.
    while (read < source.length && room - written >= 3) {
      let end = Math.min(source.length, read + Math.trunc((room - written) / 3));
      const last = source.charCodeAt(end - 1);
      if (last >= 0xd800 && last < 0xdc00 && end < source.length) end--; // a pair stays together
      if (end === read) break;
      const bytes = native.encode(source.slice(read, end));
      destination.set(bytes, written);
      written += bytes.length;
      read = end;
    }
    while (read < source.length) {
      const unit = String.fromCodePoint(source.codePointAt(read));
      const bytes = native.encode(unit);
      if (bytes.length > room - written) break;
      destination.set(bytes, written);
      written += bytes.length;
      read += unit.length;
    }
    return { read, written };
  }
}

const UTF8 = ["unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "utf-8", "utf8", "x-unicode20utf8"];
const UTF16LE = ["csunicode", "iso-10646-ucs-2", "ucs-2", "unicode", "unicodefeff", "utf-16", "utf-16le"];
const UTF16BE = ["unicodefffe", "utf-16be"];
const LATIN1 = [
  "ansi_x3.4-1968", "ascii", "cp1252", "cp819", "csisolatin1", "ibm819", "iso-8859-1", "iso-ir-100", "iso8859-1", "iso88591",
  "iso_8859-1", "iso_8859-1:1987", "l1", "latin1", "us-ascii", "windows-1252", "x-cp1252",
];
// What windows-1252, which "latin1" means on the web, has at 0x80 to 0x9F.
const WINDOWS_1252 = "\u20AC\x81\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\x8D\u017D\x8F\x90\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\x9D\u017E\u0178";

function encodingOf(label) {
  const name = `${label}`.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, "").toLowerCase();
  if (UTF8.includes(name)) return "utf-8";
  if (UTF16LE.includes(name)) return "utf-16le";
  if (UTF16BE.includes(name)) return "utf-16be";
  if (LATIN1.includes(name)) return "windows-1252";
  throw new RangeError(`TextDecoder: there is no encoding \`${label}\` here; utf-8, utf-16le, utf-16be and latin1 are`);
}

/** The bytes of a buffer or a view. */
export function bytesOf(input, who) {
  if (input instanceof Uint8Array) return input;
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  if (input instanceof ArrayBuffer || (typeof SharedArrayBuffer === "function" && input instanceof SharedArrayBuffer)) return new Uint8Array(input);
  throw new TypeError(`${who}: the input is neither an ArrayBuffer nor a view of one`);
}

/** How many bytes at the end begin a UTF-8 sequence that goes on after it. */
function unfinished(bytes) {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const at = bytes.length - back;
    const byte = bytes[at];
    if (byte >= 0x80 && byte < 0xc0) continue;
    const needs = byte >= 0xf0 && byte <= 0xf4 ? 4 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xc2 && byte < 0xe0 ? 2 : 1;
    if (needs <= back) return 0;
    const second = bytes[at + 1];
    if (second !== undefined) {
      // A second byte that cannot be is an error now, not when more comes.
      if ((byte === 0xe0 && second < 0xa0) || (byte === 0xed && second > 0x9f) || (byte === 0xf0 && second < 0x90) || (byte === 0xf4 && second > 0x8f)) return 0;
    }
    return back;
  }
  return 0;
}

export class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  #rest = new Uint8Array();
  #begun = false;

  constructor(label = "utf-8", options = {}) {
    this.#encoding = encodingOf(label);
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBOM = Boolean(options?.ignoreBOM);
  }
  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }

  decode(input, options) {
    const stream = Boolean(options?.stream);
    let bytes = input === undefined ? new Uint8Array() : bytesOf(input, "decode");
    if (this.#rest.length > 0) {
      const joined = new Uint8Array(this.#rest.length + bytes.length);
      joined.set(this.#rest);
      joined.set(bytes, this.#rest.length);
      bytes = joined;
      this.#rest = new Uint8Array();
    }
    let text;
    try {
      text = this.#encoding === "utf-8" ? this.#utf8(bytes, stream) : this.#encoding === "windows-1252" ? latin1(bytes) : this.#utf16(bytes, stream);
    } catch (error) {
      this.#begun = false;
      throw error;
    }
    if (!this.#begun && text !== "" && this.#encoding !== "windows-1252") {
      if (!this.#ignoreBOM && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
      this.#begun = true;
    }
    if (!stream) this.#begun = false;
    return text;
  }

  #utf8(bytes, stream) {
    if (stream) {
      const keep = unfinished(bytes);
      if (keep > 0) {
        this.#rest = bytes.slice(bytes.length - keep);
        bytes = bytes.subarray(0, bytes.length - keep);
      }
    }
    const text = native.decode(bytes, this.#fatal);
    if (text === undefined) throw this.#invalid();
    return text;
  }

  #utf16(bytes, stream) {
    const big = this.#encoding === "utf-16be" ? 1 : 0;
    let length = bytes.length >> 1;
    const unit = (i) => bytes[2 * i + 1 - big] * 256 + bytes[2 * i + big];
    if (stream && length > 0) {
      const last = unit(length - 1);
      if (last >= 0xd800 && last < 0xdc00) length--;
    }
    const parts = [];
    for (let i = 0; i < length; i += 4096) {
      const units = [];
      for (let k = i; k < Math.min(length, i + 4096); k++) units.push(unit(k));
      parts.push(fromCharCode(...units));
    }
    let text = parts.join("");
    let broken = !text.isWellFormed();
    if (2 * length < bytes.length) {
      if (stream) this.#rest = bytes.slice(2 * length);
      else {
        broken = true;
        text += "\uFFFD";
      }
    }
    if (broken && this.#fatal) throw this.#invalid();
    return text.toWellFormed();
  }

  #invalid() {
    return new TypeError(`The encoded data was not valid for encoding ${this.#encoding}`);
  }
}

function latin1(bytes) {
  const parts = [];
  for (let i = 0; i < bytes.length; i += 4096) parts.push(fromCharCode(...bytes.subarray(i, i + 4096)));
  return parts.join("").replace(/[\x80-\x9f]/g, (c) => WINDOWS_1252[c.charCodeAt(0) - 0x80]);
}
