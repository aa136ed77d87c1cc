// What an agent finds in `globalThis` beside the language.
import * as native from "oacp:native";
import { Blob, File } from "./blob.js";
import { structuredClone } from "./clone.js";
import { console } from "./console.js";
import { crypto } from "./crypto.js";
import { TextDecoder, TextEncoder } from "./encoding.js";
import { AbortController, AbortSignal, CustomEvent, Event, EventTarget, performance } from "./events.js";
import { Request, Response, fetch } from "./fetch.js";
import { FormData } from "./formdata.js";
import { Headers } from "./headers.js";
import { clearImmediate, clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from "./loop.js";
import oacp from "./oacp.js";
import { ReadableStream } from "./stream.js";
import { URL, URLSearchParams } from "./url.js";

export function installGlobals() {
  const globals = {
    AbortController, AbortSignal, Blob, CustomEvent, Event, EventTarget, File, FormData, Headers, ReadableStream, Request, Response,
    TextDecoder, TextEncoder, URL, URLSearchParams, clearImmediate, clearInterval, clearTimeout, console, crypto, fetch, oacp, performance,
    setImmediate, setInterval, setTimeout, structuredClone,
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
  }
  const classes = [
    AbortController, AbortSignal, Blob, CustomEvent, Event, EventTarget, File, FormData, Headers, ReadableStream, Request, Response, TextDecoder, TextEncoder,
  ];
  for (const Class of classes) {
    Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: Class.name, configurable: true });
  }
  // The engine seeds its own from the clock.
  const random = { random: () => native.random() }.random;
  Object.defineProperty(Math, "random", { value: random, writable: true, enumerable: false, configurable: true });
}
