// `console`, and `log` of module `oacp`.
import * as native from "oacp:native";
import { now } from "./clock.js";
import { format, frames, inspect } from "./inspect.js";

const DEBUG = 0;
const INFO = 1;
const WARNING = 2;
const ERROR = 3;

// Until it is known whether the source is an agent or a plain script, lines are kept.
let kept = [];
let output = []; // a plain script's
let mode = "keep";

// Less than the host takes as one line, whatever the characters.
const PIECE_MAX = 20000;

function send(level, text) {
  while (text.length > PIECE_MAX) {
    const unit = text.charCodeAt(PIECE_MAX - 1);
    const end = unit >= 0xd800 && unit < 0xdc00 ? PIECE_MAX - 1 : PIECE_MAX;
    record(level, text.slice(0, end));
    text = text.slice(end);
  }
  record(level, text);
}

function record(level, text) {
  const failure = native.log(level, text);
  if (failure === undefined) return;
  const error = new Error(failure[1]);
  error.code = failure[0];
  throw error;
}

function emit(level, text) {
  if (mode === "keep") kept.push([level, text]);
  else if (mode === "script" && level <= INFO) output.push(text);
  else send(level, text);
}

/** From now on every line is a log event, and so are those that were kept. */
export function asLog() {
  const lines = kept.concat(output.map((text) => [INFO, text]));
  kept = [];
  output = [];
  mode = "log";
  for (const [level, text] of lines) send(level, text);
}

/** From now on what goes to `console.log` is the result. */
export function asOutput() {
  const lines = kept;
  kept = [];
  mode = "script";
  for (const [level, text] of lines) emit(level, text);
}

export function hasOutput() {
  return kept.length > 0;
}

/** A plain script's whole output. */
export function takeOutput() {
  const text = output.map((line) => `${line}\n`).join("");
  output = [];
  return text;
}

export const log = {
  debug: (...values) => send(DEBUG, format(values)),
  info: (...values) => send(INFO, format(values)),
  warn: (...values) => send(WARNING, format(values)),
  warning: (...values) => send(WARNING, format(values)),
  error: (...values) => send(ERROR, format(values)),
};

let indent = "";
const counts = new Map();
const started = new Map();

function print(level, text) {
  emit(level, indent === "" ? text : indent + text.replaceAll("\n", `\n${indent}`));
}

function elapsed(label) {
  const since = started.get(label);
  if (since === undefined) {
    print(WARNING, `no timer \`${label}\` was started`);
    return undefined;
  }
  return `${label}: ${((now() - since) / 1e6).toFixed(3)}ms`;
}

function table(data) {
  const isRow = (value) => value !== null && typeof value === "object";
  const rows = data instanceof Map ? [...data] : data instanceof Set ? [...data].map((value, i) => [i, value]) : Object.entries(data);
  const columns = [];
  let plain = false;
  for (const [, row] of rows) {
    if (!isRow(row)) plain = true;
    else for (const key of Object.keys(row)) if (!columns.includes(key)) columns.push(key);
  }
  const lines = [["(index)", ...columns, ...(plain ? ["Values"] : [])]];
  for (const [index, row] of rows) {
    const cells = columns.map((key) => (isRow(row) && Object.hasOwn(row, key) ? inspect(row[key], 0) : ""));
    if (plain) cells.push(isRow(row) ? "" : inspect(row, 0));
    lines.push([String(index), ...cells]);
  }
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const rule = (left, middle, right) => left + widths.map((width) => "─".repeat(width + 2)).join(middle) + right;
  const show = (line) => `│${line.map((cell, i) => ` ${cell.padEnd(widths[i])} `).join("│")}│`;
  return [rule("┌", "┬", "┐"), show(lines[0]), rule("├", "┼", "┤"), ...lines.slice(1).map(show), rule("└", "┴", "┘")].join("\n");
}

export const console = {
  debug: (...values) => print(DEBUG, format(values)),
  log: (...values) => print(INFO, format(values)),
  info: (...values) => print(INFO, format(values)),
  warn: (...values) => print(WARNING, format(values)),
  error: (...values) => print(ERROR, format(values)),
  dir: (value) => print(INFO, inspect(value)),
  dirxml: (...values) => print(INFO, format(values)),
  trace(...values) {
    const head = values.length > 0 ? `Trace: ${format(values)}` : "Trace";
    print(ERROR, [head, ...frames(new Error()).map((frame) => frame.text)].join("\n"));
  },
  assert(condition, ...values) {
    if (condition) return;
    if (typeof values[0] === "string") values[0] = `Assertion failed: ${values[0]}`;
    else values.unshift("Assertion failed");
    print(ERROR, format(values));
  },
  table(data) {
    print(INFO, data !== null && typeof data === "object" ? table(data) : format([data]));
  },
  count(label = "default") {
    label = String(label);
    const count = (counts.get(label) ?? 0) + 1;
    counts.set(label, count);
    print(INFO, `${label}: ${count}`);
  },
  countReset: (label = "default") => void counts.delete(String(label)),
  time: (label = "default") => void started.set(String(label), now()),
  timeEnd(label = "default") {
    const text = elapsed(String(label));
    started.delete(String(label));
    if (text !== undefined) print(INFO, text);
  },
  timeLog(label = "default", ...values) {
    const text = elapsed(String(label));
    if (text !== undefined) print(INFO, format([text, ...values]));
  },
  group(...values) {
    if (values.length > 0) print(INFO, format(values));
    indent += "  ";
  },
  groupCollapsed: (...values) => console.group(...values),
  groupEnd: () => void (indent = indent.slice(2)),
  clear() {},
};
Object.defineProperty(console, Symbol.toStringTag, { value: "console", configurable: true });
