// structuredClone, as HTML has it, for the types that exist here.
import * as native from "oacp:native";
import { errorTitle, inspect, is } from "./inspect.js";

const { DOMException } = globalThis;
const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const { hasOwn, getOwnPropertyDescriptor } = Object;

function refuse(value) {
  return new DOMException(`${inspect(value, 0)} could not be cloned.`, "DataCloneError");
}

function define(object, key, value) {
  Object.defineProperty(object, key, { value, writable: true, enumerable: false, configurable: true });
}

export function structuredClone(value, options = {}) {
  if (arguments.length === 0) throw new TypeError("structuredClone: a value is needed");
  const memory = new Map(); // what was met: its copy
  const transfer = new Set();
  for (const one of options?.transfer ?? []) {
    if (!is.buffer(one) || one.detached || transfer.has(one)) throw refuse(one);
    transfer.add(one);
  }

  const copyBuffer = (buffer) => {
    if (memory.has(buffer)) return memory.get(buffer);
    if (buffer.detached) throw refuse(buffer);
    let to;
    if (buffer.resizable) {
      to = new ArrayBuffer(buffer.byteLength, { maxByteLength: buffer.maxByteLength });
      new Uint8Array(to).set(new Uint8Array(buffer));
    } else {
      to = buffer.slice(0);
    }
    memory.set(buffer, to);
    return to;
  };

  const copy = (from) => {
    if (from === null || (typeof from !== "object" && typeof from !== "function")) {
      if (typeof from === "symbol") throw refuse(from);
      return from;
    }
    if (memory.has(from)) return memory.get(from);
    if (typeof from === "function" || native.proxyTarget(from) !== undefined) throw refuse(from);
    const keep = (to) => {
      memory.set(from, to);
      return to;
    };
    if (Array.isArray(from)) {
      const to = keep(new Array(from.length));
      for (const key of Object.keys(from)) to[key] = copy(from[key]);
      return to;
    }
    if (is.date(from)) return keep(new Date(Date.prototype.getTime.call(from)));
    if (is.regexp(from)) return keep(new RegExp(from.source, from.flags));
    if (is.map(from)) {
      const to = keep(new Map());
      for (const [key, item] of [...Map.prototype.entries.call(from)]) to.set(copy(key), copy(item));
      return to;
    }
    if (is.set(from)) {
      const to = keep(new Set());
      for (const item of [...Set.prototype.values.call(from)]) to.add(copy(item));
      return to;
    }
    if (is.buffer(from)) return copyBuffer(from);
    const kind = is.view(from);
    if (kind !== undefined) {
      const Kind = globalThis[kind];
      return keep(new Kind(copyBuffer(from.buffer), from.byteOffset, from.length));
    }
    if (is.dataView(from)) return keep(new DataView(copyBuffer(from.buffer), from.byteOffset, from.byteLength));
    if (is.number(from) || is.string(from) || is.boolean(from) || is.bigint(from)) return keep(Object(from.valueOf()));
    if (is.symbol(from)) throw refuse(from);
    if (from instanceof DOMException) return keep(new DOMException(from.message, from.name));
    if (native.isError(from)) {
      const name = String(from.name);
      const Kind = hasOwn(ERRORS, name) ? ERRORS[name] : Error;
      const made = keep(new Kind());
      const message = getOwnPropertyDescriptor(from, "message");
      if (message !== undefined && "value" in message) define(made, "message", String(message.value));
      else delete made.message;
      if (hasOwn(from, "cause")) define(made, "cause", copy(from.cause));
      const { stack } = from;
      define(made, "stack", typeof stack === "string" ? stack : errorTitle(made));
      return made;
    }
    if (native.promiseState(from) !== undefined || is.weakMap(from) || is.weakSet(from) || from instanceof WeakRef) throw refuse(from);
    const to = keep({});
    for (const key of Object.keys(from)) if (hasOwn(from, key)) to[key] = copy(from[key]);
    return to;
  };
  const result = copy(value);
  // A buffer that was to be transferred has been copied; what is left of the promise is to empty it.
  for (const buffer of transfer) buffer.transfer();
  return result;
}
