// crypto: randomness from the host, which a replay gets again, and SHA-256.
import * as native from "oacp:native";
import { bytesOf } from "./encoding.js";

const { DOMException } = globalThis;
const QUOTA = 65536;
const hex = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

function isIntegerArray(value) {
  return ArrayBuffer.isView(value) && !(value instanceof DataView || value instanceof Float32Array || value instanceof Float64Array
    || (typeof Float16Array === "function" && value instanceof Float16Array));
}

export const crypto = {
  getRandomValues(array) {
    if (!isIntegerArray(array)) throw new DOMException("getRandomValues: the argument is not an array of integers", "TypeMismatchError");
    if (array.byteLength > QUOTA) {
      throw new DOMException(`getRandomValues: ${array.byteLength} bytes were asked for, and ${QUOTA} are the most at once`, "QuotaExceededError");
    }
    native.fill(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return array;
  },

  randomUUID() {
    const b = new Uint8Array(16);
    native.fill(b);
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    const h = Array.from(b, (byte) => hex[byte]);
    return `${h[0]}${h[1]}${h[2]}${h[3]}-${h[4]}${h[5]}-${h[6]}${h[7]}-${h[8]}${h[9]}-${h.slice(10).join("")}`;
  },

  subtle: {
    async digest(algorithm, data) {
      const name = String(typeof algorithm === "object" && algorithm !== null ? algorithm.name : algorithm).toUpperCase();
      if (name !== "SHA-256") throw new DOMException(`digest: there is no \`${name}\` here, only SHA-256`, "NotSupportedError");
      return native.sha256(bytesOf(data, "digest")).buffer;
    },
  },
};
Object.defineProperty(crypto, Symbol.toStringTag, { value: "Crypto", configurable: true });
Object.defineProperty(crypto.subtle, Symbol.toStringTag, { value: "SubtleCrypto", configurable: true });
