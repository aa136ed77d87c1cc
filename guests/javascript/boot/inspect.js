// Values as text for people, as Node.js writes them, and bounded. Runs no code of the value's where
// that can be avoided, and never throws.
import * as native from "oacp:native";
import { unveil } from "./env.js";

const DEPTH_MAX = 3;
const ITEMS_MAX = 100;
const STRING_MAX = 10000; // of a string within a value
const TEXT_MAX = 100000; // of a whole value: what comes after is left out
const LINE_MAX = 76;

const { getOwnPropertyDescriptor, getPrototypeOf } = Object;
const { ownKeys } = Reflect;
const { isArray } = Array;
const apply = Reflect.apply;
const getter = (prototype, name) => getOwnPropertyDescriptor(prototype, name).get;

// What a built-in's method says of anything that is not one of its kind is an exception.
function check(probe, ...args) {
  return (value) => {
    try {
      apply(probe, value, args);
      return true;
    } catch {
      return false;
    }
  };
}
const TypedArray = getPrototypeOf(Uint8Array);
const typeOfView = getter(TypedArray.prototype, Symbol.toStringTag);
export const is = {
  map: check(getter(Map.prototype, "size")),
  set: check(getter(Set.prototype, "size")),
  date: check(Date.prototype.getTime),
  regexp: (value) => {
    try {
      // On %RegExp.prototype% itself the getter answers too.
      return value !== RegExp.prototype && apply(getter(RegExp.prototype, "global"), value, []) !== undefined;
    } catch {
      return false;
    }
  },
  buffer: check(getter(ArrayBuffer.prototype, "byteLength")),
  view: (value) => apply(typeOfView, value, []),
  dataView: check(getter(DataView.prototype, "buffer")),
  weakMap: check(WeakMap.prototype.has, {}),
  weakSet: check(WeakSet.prototype.has, {}),
  number: check(Number.prototype.valueOf),
  string: check(String.prototype.valueOf),
  boolean: check(Boolean.prototype.valueOf),
  symbol: check(Symbol.prototype.valueOf),
  bigint: check(BigInt.prototype.valueOf),
};
const mapEntries = Map.prototype.entries;
const setValues = Set.prototype.values;
const mapNext = getPrototypeOf(new Map().entries()).next;
const setNext = getPrototypeOf(new Set().values()).next;
const toISO = Date.prototype.toISOString;
const toText = RegExp.prototype.toString;
const symbolText = Symbol.prototype.toString;

function* entriesOf(map) {
  const iterator = apply(mapEntries, map, []);
  for (let next; !(next = apply(mapNext, iterator, [])).done; ) yield next.value;
}

function* valuesOf(set) {
  const iterator = apply(setValues, set, []);
  for (let next; !(next = apply(setNext, iterator, [])).done; ) yield next.value;
}

const ESCAPES = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\v": "\\v", "\\": "\\\\" };

function quote(text) {
  const more = text.length > STRING_MAX ? `... ${text.length - STRING_MAX} more characters` : "";
  if (more) text = text.slice(0, STRING_MAX);
  const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes("`") && !text.includes("${") ? "`" : "'";
  const escaped = text.replace(/[\x00-\x1f\x7f-\x9f\\']/g, (c) => {
    if (c === "'") return mark === "'" ? "\\'" : c;
    return ESCAPES[c] ?? `\\x${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  });
  return mark + escaped + mark + more;
}

function own(object, key) {
  try {
    const found = getOwnPropertyDescriptor(object, key);
    return found !== undefined && "value" in found ? found.value : undefined;
  } catch {
    return undefined;
  }
}

/** The name of the class that made `object`; undefined where there is none. */
export function className(object) {
  try {
    for (let at = object, i = 0; at !== null && i < 100; at = getPrototypeOf(at), i++) {
      const constructor = own(at, "constructor");
      if (typeof constructor === "function" && at !== object) {
        const name = own(constructor, "name");
        if (typeof name === "string" && name !== "") return name;
      }
    }
  } catch {}
  return undefined;
}

/** `Name: message` of an error, read with care. */
export function errorTitle(error) {
  let name;
  let message;
  try {
    name = error.name;
    message = error.message;
  } catch {}
  if (typeof name !== "string" || name === "") name = className(error) ?? "Error";
  else if (name === "Error") name = className(error) ?? name;
  if (typeof message !== "string") {
    message = message === undefined || message === null ? "" : typeof message === "object" || typeof message === "function" ? "" : String(message);
  }
  return message === "" ? name : `${name}: ${message}`;
}

/** Whether the engine made `value` as an error, or its class is one. */
export function isError(value) {
  if (value === null || typeof value !== "object") return false;
  if (native.isError(value)) return true;
  try {
    return native.proxyTarget(value) === undefined && value instanceof Error;
  } catch {
    return false;
  }
}

/** The agent's frames in an error's stack, a line each. */
export function frames(error) {
  let stack;
  try {
    stack = error.stack;
  } catch {}
  if (typeof stack !== "string") return [];
  const kept = [];
  const maker = className(error);
  for (const line of stack.slice(0, 65536).split("\n")) {
    const found = /^\s*at (?:(.*) \()?([^()]*?):(\d+)(?::\d+)?\)?$/.exec(line);
    if (found === null || !native.hasFile(found[2])) continue;
    // The constructor of an error's own class says nothing of where it was thrown.
    if (kept.length === 1 && kept[0].maker === maker && maker !== undefined) kept.pop();
    kept.push({ text: `    ${line.trim()}`, file: found[2], line: Number(found[3]), maker: found[1] });
  }
  return kept;
}

const views = [];

/** For objects whose state is private: `view(value)` gives the properties to show, or undefined where it is not its kind. */
export function showBy(view) {
  views.push(view);
}

const KEY = /^[A-Za-z_$][\w$]*$/;

class Inspector {
  constructor(depthMax) {
    this.depthMax = depthMax;
    this.within = [];
    this.written = 0;
  }

  show(value, depth) {
    const text = this.any(value, depth);
    return text;
  }

  any(value, depth) {
    switch (typeof value) {
      case "string":
        return this.count(quote(value));
      case "number":
        return this.count(Object.is(value, -0) ? "-0" : String(value));
      case "bigint":
        return this.count(`${value}n`);
      case "symbol":
        return this.count(apply(symbolText, value, []));
      case "undefined":
      case "boolean":
        return this.count(String(value));
    }
    if (value === null) return "null";
    if (this.within.includes(value)) return "[Circular]";
    if (this.written > TEXT_MAX) return "...";
    for (let target; (target = native.proxyTarget(value)) !== undefined; ) {
      value = unveil(target);
      if (value === null) return "<Revoked Proxy>";
    }
    if (typeof value !== "object" && typeof value !== "function") return this.any(value, depth);
    this.within.push(value);
    const text = this.object(value, depth);
    this.within.pop();
    return text;
  }

  count(text) {
    this.written += text.length;
    return text;
  }

  object(value, depth) {
    const name = className(value);
    let prefix = name === undefined ? "[Object: null prototype] " : name === "Object" ? "" : `${name} `;
    const tag = own(value, Symbol.toStringTag) ?? (() => { try { return own(getPrototypeOf(value) ?? {}, Symbol.toStringTag); } catch {} })();
    if (typeof tag === "string" && tag !== "" && tag !== name) prefix = `${name ?? "Object"} [${tag}] `;
    const deep = depth >= this.depthMax;
    const parts = [];
    let brackets = ["{", "}"];
    let bare; // what it is without its properties
    let skip = () => false;

    if (isArray(value)) {
      brackets = ["[", "]"];
      prefix = name === "Array" ? "" : `${name ?? "Array"}(${value.length}) `;
      skip = (key) => typeof key === "string" && (key === "length" || /^\d+$/.test(key));
      if (deep && value.length > 0) return this.count(`[${name ?? "Array"}]`);
      this.array(value, value.length, parts, depth);
    } else if (typeof value === "function") {
      let kind = "Function";
      try {
        kind = /^class\b/.test(Function.prototype.toString.call(value)) ? "class" : (name ?? kind);
      } catch {}
      const called = own(value, "name");
      bare = kind === "class" ? `[class ${called || "(anonymous)"}]` : `[${kind}${called ? `: ${called}` : " (anonymous)"}]`;
      skip = (key) => key === "length" || key === "name" || key === "prototype";
      prefix = "";
    } else if (isError(value)) {
      const title = errorTitle(value);
      const stack = depth === 0 || depth === 1 ? frames(value) : [];
      bare = stack.length > 0 ? [title, ...stack.map((frame) => frame.text)].join("\n") : `[${title}]`;
      skip = (key) => key === "stack" || key === "message" || key === "name";
      const cause = own(value, "cause");
      if (cause !== undefined && !deep) parts.push(`[cause]: ${this.any(cause, depth + 1)}`);
    } else if (is.map(value)) {
      if (deep) return this.count("[Map]");
      let size = 0;
      for (const [key, item] of entriesOf(value)) {
        if (size++ >= ITEMS_MAX || this.written > TEXT_MAX) continue;
        parts.push(`${this.any(key, depth + 1)} => ${this.any(item, depth + 1)}`);
      }
      if (size > parts.length) parts.push(more(size - parts.length));
      prefix = `${name ?? "Map"}(${size}) `;
    } else if (is.set(value)) {
      if (deep) return this.count("[Set]");
      let size = 0;
      for (const item of valuesOf(value)) {
        if (size++ >= ITEMS_MAX || this.written > TEXT_MAX) continue;
        parts.push(this.any(item, depth + 1));
      }
      if (size > parts.length) parts.push(more(size - parts.length));
      prefix = `${name ?? "Set"}(${size}) `;
    } else if (is.date(value)) {
      try {
        bare = apply(toISO, value, []);
      } catch {
        bare = "Invalid Date";
      }
    } else if (is.regexp(value)) {
      try {
        bare = apply(toText, value, []);
      } catch {
        bare = "[RegExp]";
      }
      skip = (key) => key === "lastIndex";
    } else if (is.view(value) !== undefined) {
      brackets = ["[", "]"];
      prefix = `${name ?? is.view(value)}(${value.length}) `;
      skip = (key) => typeof key === "string" && /^\d+$/.test(key);
      if (deep) return this.count(`[${name}]`);
      this.array(value, value.length, parts, depth);
    } else if (is.buffer(value)) {
      const bytes = new Uint8Array(value, 0, Math.min(value.byteLength, 50));
      const rest = value.byteLength - bytes.length;
      const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      parts.push(`[Uint8Contents]: <${hex}${rest > 0 ? ` ... ${rest} more byte${rest > 1 ? "s" : ""}` : ""}>`, `byteLength: ${value.byteLength}`);
      prefix = "ArrayBuffer ";
    } else if (is.weakMap(value) || is.weakSet(value)) {
      parts.push("<items unknown>");
    } else if (is.number(value) || is.string(value) || is.boolean(value) || is.symbol(value) || is.bigint(value)) {
      const inner = value.valueOf === undefined ? undefined : primitive(value);
      bare = `[${name}: ${this.any(inner, depth + 1)}]`;
      skip = (key) => is.string(value) && typeof key === "string" && (key === "length" || /^\d+$/.test(key));
    } else {
      const promise = native.promiseState(value);
      if (promise !== undefined) {
        if (promise[0] === 0) parts.push("<pending>");
        else if (deep) return this.count("[Promise]");
        else parts.push((promise[0] === 2 ? "<rejected> " : "") + this.any(promise[1], depth + 1));
        prefix = `${name ?? "Promise"} `;
      }
      for (const view of views) {
        const shown = view(value);
        if (shown === undefined) continue;
        if (deep) return this.count(`[${name}]`);
        this.properties(shown, ownKeys(shown), parts, depth);
        prefix = `${name} `;
      }
    }

    let keys;
    try {
      keys = ownKeys(value).filter((key) => !skip(key) && getOwnPropertyDescriptor(value, key)?.enumerable);
    } catch {
      keys = [];
    }
    if (deep && keys.length > 0 && bare === undefined) return this.count(`[${name ?? "Object: null prototype"}]`);
    if (!(deep && bare !== undefined)) this.properties(value, keys, parts, depth);
    if (parts.length === 0) return this.count(bare ?? `${prefix}${brackets.join("")}`);
    if (bare !== undefined) prefix = `${bare} `;
    this.count(prefix);
    return join(parts, prefix + brackets[0], brackets[1], isArray(value) || brackets[0] === "[");
  }

  array(value, length, parts, depth) {
    let holes = 0;
    const flush = () => {
      if (holes > 0) parts.push(`<${holes} empty item${holes > 1 ? "s" : ""}>`);
      holes = 0;
    };
    let i = 0;
    for (; i < length && parts.length < ITEMS_MAX && this.written <= TEXT_MAX; i++) {
      const found = getOwnPropertyDescriptor(value, i);
      if (found === undefined) {
        if (++holes > 100000) break;
        continue;
      }
      flush();
      parts.push("value" in found ? this.any(found.value, depth + 1) : "[Getter]");
    }
    flush();
    if (i < length) parts.push(more(length - i));
  }

  properties(value, keys, parts, depth) {
    let shown = 0;
    for (const key of keys) {
      if (shown++ >= ITEMS_MAX || this.written > TEXT_MAX) {
        parts.push(more(keys.length - shown + 1, "propert", "y", "ies"));
        break;
      }
      const found = getOwnPropertyDescriptor(value, key);
      if (found === undefined) continue;
      const name = typeof key === "symbol" ? `[${apply(symbolText, key, [])}]` : KEY.test(key) ? key : quote(key);
      const text = "value" in found ? this.any(found.value, depth + 1) : found.get ? (found.set ? "[Getter/Setter]" : "[Getter]") : "[Setter]";
      this.count(name);
      parts.push(`${name}: ${text}`);
    }
  }
}

function primitive(value) {
  for (const prototype of [Number, String, Boolean, Symbol, BigInt]) {
    try {
      return apply(prototype.prototype.valueOf, value, []);
    } catch {}
  }
  return undefined;
}

function more(count, stem = "item", one = "", many = "s") {
  return `... ${count} more ${stem}${count === 1 ? one : many}`;
}

function join(parts, open, close, isList) {
  const lines = parts.some((part) => part.includes("\n"));
  const length = parts.reduce((sum, part) => sum + part.length + 2, open.length + close.length + 1);
  if (!lines && length <= LINE_MAX && (!isList || parts.length <= 6 || length <= 72)) return `${open} ${parts.join(", ")} ${close}`;
  const inner = (text) => text.replaceAll("\n", "\n  ");
  if (isList && parts.length > 6 && !lines) {
    // Short items of a long list share lines.
    const rows = [];
    let row = "";
    for (const part of parts) {
      if (row !== "" && row.length + part.length > LINE_MAX - 4) {
        rows.push(row);
        row = "";
      }
      row += row === "" ? part : `, ${part}`;
    }
    if (row !== "") rows.push(row);
    return `${open}\n  ${rows.join(",\n  ")}\n${close}`;
  }
  return `${open}\n  ${parts.map(inner).join(",\n  ")}\n${close}`;
}

/** `value` as text. */
export function inspect(value, depthMax = DEPTH_MAX) {
  try {
    return new Inspector(depthMax).any(value, 0);
  } catch {
    return "<a value that cannot be shown>";
  }
}

/** What `console.log(...values)` prints. */
export function format(values) {
  if (values.length === 1 && typeof values[0] === "string") return values[0];
  let at = 0;
  let text = "";
  if (typeof values[0] === "string" && values.length > 1) {
    at = 1;
    text = values[0].replace(/%[sdifjoOc%]/g, (mark) => {
      if (mark === "%%") return "%";
      if (at >= values.length) return mark;
      const value = values[at++];
      switch (mark) {
        case "%s":
          return typeof value === "string" ? value : typeof value === "object" && value !== null ? inspect(value, 1) : inspect(value);
        case "%d":
        case "%i":
        case "%f": {
          if (typeof value === "bigint") return `${value}n`;
          const number = typeof value === "symbol" || (typeof value === "object" && value !== null) ? NaN : Number(value);
          return inspect(mark === "%i" ? Math.trunc(number) : number);
        }
        case "%j":
          try {
            return String(JSON.stringify(value));
          } catch {
            return "[Circular]";
          }
        case "%c":
          return "";
      }
      return inspect(value, 4);
    });
  }
  for (; at < values.length; at++) {
    const value = values[at];
    if (at > 0) text += " ";
    text += typeof value === "string" ? value : inspect(value);
  }
  return text;
}
