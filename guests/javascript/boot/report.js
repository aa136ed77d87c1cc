// What a run that failed reports. Nothing that an agent throws may break it.
import { denials } from "./denied.js";
import { className, errorTitle, frames, inspect, isError } from "./inspect.js";

const MESSAGE_MAX = 8192;
const TRACE_MAX = 65536;
const CHAIN_MAX = 20; // of causes
const LISTED_MAX = 20; // of an AggregateError's errors

/** An end of the run that is told as it is, without the name of an error. */
export class Ending extends Error {}

const HINTS = {
  Buffer: "use Uint8Array, TextEncoder, atob and btoa",
  Intl: "it is not part of this runtime; format with string methods",
  Temporal: "use Date",
  WebAssembly: "it is not part of this runtime",
  Worker: "there are no threads; use promises",
  WebSocket: "call a tool of the host",
  XMLHttpRequest: "use `fetch`",
  __dirname: "import the files of the source by relative path",
  __filename: "see import.meta.url",
  await: "name the file .mjs, or export something, for await at its top level",
  document: "there is no browser here",
  exports: "use `export`",
  module: "use `export`",
  process: "the input is what `run(input)` is given, and the environment is `oacp.env`",
  require: "use `import`",
  window: "use globalThis",
};

function hint(title) {
  const found = /^ReferenceError: '?([\w$]+)'? is not defined$/.exec(title);
  return found !== null && Object.hasOwn(HINTS, found[1]) ? `; ${HINTS[found[1]]}` : "";
}

function oneLine(text) {
  return text.slice(0, MESSAGE_MAX).replace(/\s*[\r\n\u2028\u2029]+\s*/g, " ").trim();
}

function title(thrown) {
  if (thrown instanceof Ending) return thrown.message;
  if (isError(thrown)) {
    let text = errorTitle(thrown);
    const errors = get(thrown, "errors");
    if (text === "AggregateError" && Array.isArray(errors) && errors.length > 0) {
      text += `: ${errors.slice(0, 3).map((one) => (isError(one) ? errorTitle(one) : inspect(one, 1))).join("; ")}${errors.length > 3 ? "; …" : ""}`;
    }
    return text + hint(text);
  }
  return `Uncaught ${inspect(thrown, 2)}`;
}

function get(object, key) {
  try {
    return object[key];
  } catch {
    return undefined;
  }
}

function linked(thrown) {
  if (!isError(thrown)) return [];
  const cause = get(thrown, "cause");
  const errors = get(thrown, "errors");
  return [...(cause === undefined ? [] : [cause]), ...(Array.isArray(errors) ? errors.slice(0, LISTED_MAX) : [])];
}

function denial(thrown) {
  const todo = [thrown];
  const seen = new Set();
  while (todo.length > 0 && seen.size < 200) {
    const one = todo.shift();
    if (seen.has(one) || one === null || typeof one !== "object") continue;
    seen.add(one);
    if (denials.has(one)) return denials.get(one);
    todo.push(...linked(one));
  }
  return undefined;
}

function trace(thrown) {
  const lines = [];
  const seen = new Set();
  let size = 0;
  const tell = (one, lead, indent) => {
    if (seen.has(one) || seen.size >= CHAIN_MAX || size > TRACE_MAX) return;
    seen.add(one);
    const block = [lead + oneLine(title(one)), ...(isError(one) ? frames(one) : []).map((frame) => frame.text)];
    for (const line of block) {
      lines.push(indent + line);
      size += line.length;
    }
    if (!isError(one)) return;
    const errors = get(one, "errors");
    if (Array.isArray(errors)) errors.slice(0, LISTED_MAX).forEach((each, i) => tell(each, `[${i}] `, `${indent}  `));
    const cause = get(one, "cause");
    if (cause !== undefined) tell(cause, "Caused by: ", indent);
  };
  tell(thrown, "", "");
  return lines.length > 1 ? lines.join("\n") : "";
}

function location(thrown) {
  const todo = [thrown];
  for (let i = 0; i < CHAIN_MAX && todo.length > 0; i++) {
    const one = todo.shift();
    if (!isError(one)) continue;
    const [first] = frames(one);
    if (first !== undefined) return first;
    todo.push(...linked(one));
  }
  return undefined;
}

/** [message, trace, file, line, call whose denial ended the run] */
export function report(thrown, note) {
  const result = ["", "", undefined, undefined, undefined];
  try {
    result[4] = denial(thrown);
    result[0] = oneLine(title(thrown));
    const place = location(thrown);
    result[2] = place?.file;
    result[3] = place?.line;
    result[1] = trace(thrown);
    if (note !== undefined) result[1] = `${result[1] || result[0]}\n    (${note})`;
  } catch {
    try {
      result[0] ||= className(thrown) ?? `the agent threw a value of type ${typeof thrown}`;
    } catch {}
  }
  return result;
}
