// What Request and Response have in common: a body that is read once.
import * as native from "oacp:native";
import { Blob, contentOf } from "./blob.js";
import { bytesOf } from "./encoding.js";
import { FormData, multipart } from "./formdata.js";
import { URLSearchParams } from "./query.js";
import { ReadableStream, drain, isDisturbed, streamOf } from "./stream.js";

/** `{ bytes | stream, type }` of what was given as a body. */
export function extract(body) {
  if (typeof body === "string") return { bytes: native.encode(body), type: "text/plain;charset=UTF-8" };
  if (body instanceof URLSearchParams) return { bytes: native.encode(body.toString()), type: "application/x-www-form-urlencoded;charset=UTF-8" };
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return { bytes: bytesOf(body, "body").slice() };
  if (body instanceof Blob) return { bytes: contentOf(body), shared: true, type: body.type || undefined };
  if (body instanceof FormData) return multipart(body);
  if (body instanceof ReadableStream) {
    if (body.locked || isDisturbed(body)) throw new TypeError("the body's stream has been read already, or is being read");
    return { stream: body };
  }
  return extract(`${body}`);
}

export let copyBody; // (body) → `{ bytes | stream }` for a second owner, or undefined
export let moveBody; // (body) → the same, and for the first owner it is used then
export let hasBody;
export let isStreamed; // (body): what it holds is not known before it is read

export class Body {
  #bytes; // undefined: a stream, or no body
  #stream; // made of the bytes when somebody asks for it
  #shared; // the bytes are not this body's alone, so nobody may be handed them to write on
  #used = false;

  static {
    hasBody = (body) => body.#bytes !== undefined || body.#stream !== undefined;
    isStreamed = (body) => body.#bytes === undefined && body.#stream !== undefined;
    copyBody = (body) => {
      body.#check();
      if (isStreamed(body)) {
        const [one, other] = body.#stream.tee();
        body.#stream = one;
        return { stream: other };
      }
      body.#shared = true;
      return hasBody(body) ? { bytes: body.#bytes, shared: true } : undefined;
    };
    moveBody = (body) => {
      if (!hasBody(body)) return undefined;
      body.#check();
      body.#used = true;
      return isStreamed(body) ? { stream: body.#stream } : { bytes: body.#bytes, shared: true };
    };
  }

  constructor(content) {
    this.#bytes = content?.bytes;
    this.#stream = content?.stream;
    this.#shared = content?.shared ?? false;
  }

  get body() {
    if (this.#stream === undefined && this.#bytes !== undefined) {
      this.#stream = streamOf(this.#used ? new Uint8Array() : this.#bytes.slice());
      if (this.#used) this.#stream.cancel();
    }
    return this.#stream ?? null;
  }

  get bodyUsed() {
    return this.#used || (this.#stream !== undefined && isDisturbed(this.#stream));
  }

  #check() {
    if (this.bodyUsed) throw new TypeError("the body has been read already; `clone` it before to read it twice");
    if (this.#stream?.locked) throw new TypeError("the body is being read by a stream's reader");
  }

  // The bytes, to be read only.
  async #read() {
    this.#check();
    if (this.#stream !== undefined) return drain(this.#stream);
    if (this.#bytes === undefined) return new Uint8Array();
    this.#used = true;
    return this.#bytes;
  }

  async bytes() {
    const bytes = await this.#read();
    return this.#shared ? bytes.slice() : bytes;
  }

  async arrayBuffer() {
    return (await this.bytes()).buffer;
  }

  async text() {
    const text = native.decode(await this.#read(), false);
    return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }

  async json() {
    return JSON.parse(await this.text());
  }

  async blob() {
    return new Blob([await this.#read()], { type: this.headers.get("content-type") ?? "" });
  }

  async formData() {
    const type = (this.headers.get("content-type") ?? "").split(";", 1)[0].trim().toLowerCase();
    if (type !== "application/x-www-form-urlencoded") {
      throw new TypeError(`formData: a body of type \`${type}\` cannot be read as a form here; application/x-www-form-urlencoded can`);
    }
    const form = new FormData();
    for (const [name, value] of new URLSearchParams(await this.text())) form.append(name, value);
    return form;
  }
}
