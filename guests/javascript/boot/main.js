// The core's way into the boot modules: every export but the globals is called by core/main.c.
import * as native from "oacp:native";
import * as terminal from "./console.js";
import { forgetEnvironment } from "./env.js";
import { installGlobals } from "./globals.js";
import { reset, step } from "./loop.js";
import { setInput } from "./oacp.js";
import { Ending, report as describe } from "./report.js";

const { parse, stringify } = JSON;
const { then } = Promise.prototype;
const { apply } = Reflect;
const resolve = Promise.resolve.bind(Promise);

Error.stackTraceLimit = 32;
installGlobals();

let input;
let path;
let isScript = false; // its file has been evaluated; what timers and calls are left for it run
let note; // on what ended the run
let watched = { state: 0, value: undefined };
const unhandled = new Map(); // rejected promises that nothing handles, with their reasons

export function begin(json, entryPath) {
  watched = { state: 0, value: undefined };
  unhandled.clear();
  reset();
  forgetEnvironment();
  note = undefined;
  try {
    input = parse(json);
  } catch (error) {
    throw new Ending(`the input is not JSON: ${error.message}`);
  }
  setInput(input);
  if (entryPath === undefined) return;
  path = entryPath;
  if (!native.hasFile(path)) throw new Ending(`the source has no file \`${path}\``);
  const ending = /\.[^./]*$/.exec(path)?.[0] ?? "";
  if (/^\.(ts|tsx|mts|cts|jsx)$/.test(ending)) throw new Ending(`${path} is not JavaScript: compile it to JavaScript first`);
  if (ending === ".json") throw new Ending(`${path} is data; the entry is a .js or .mjs file`);
}

/** The engine tells of a promise that was rejected with nothing to handle it, or handled later. */
export function track(promise, reason, handled) {
  if (handled) unhandled.delete(promise);
  else unhandled.set(promise, reason);
}

/** The event loop runs until `value`, a promise or not, has settled. */
export function watch(value) {
  const now = (watched = { state: 0, value: undefined });
  let promise;
  if (value !== null && (typeof value === "object" || typeof value === "function") && typeof value.then === "function") {
    promise = resolve(value);
  }
  if (promise === undefined) {
    now.state = 1;
    now.value = value;
    return;
  }
  apply(then, promise, [
    (result) => {
      now.state = 1;
      now.value = result;
    },
    (reason) => {
      now.state = 2;
      now.value = reason;
    },
  ]);
}

/** 0: something ran; 1: what is watched has settled; 2: nothing is left to run or to wait for. */
export function turn() {
  if (watched.state !== 2 && unhandled.size > 0) {
    const [[promise, reason]] = unhandled;
    unhandled.delete(promise);
    note = "a promise was rejected with it, and nothing handled that";
    throw reason;
  }
  if (watched.state !== 0) return 1;
  return step(isScript) ? 0 : 2;
}

export function value() {
  if (watched.state === 2) throw watched.value;
  return watched.value;
}

export function stuck() {
  throw new Ending("the agent waits for something that can never happen: no timer is set, no call is open, and a promise it awaits is not settled");
}

// A script that calls its own function, as scripts for Node.js do, is a plain one.
const CALLS = ["run(", "main(", "await run(", "await main(", "void run(", "void main("];
const callsItself = () => native.lineStart(path, ...CALLS) >= 0;

/** The function to call, or undefined for a plain script. */
export function entry(names, global) {
  let found;
  if (names !== undefined) {
    const other = names.default;
    const isHolder = other !== null && typeof other === "object";
    found = [names.run, names.main, other, isHolder ? other.run : undefined, isHolder ? other.main : undefined].find((one) => typeof one === "function");
    if (found !== undefined) {
      terminal.asLog();
      return found;
    }
  }
  if (typeof global === "function" && !callsItself()) {
    terminal.asLog();
    return global;
  }
  if (names !== undefined && !terminal.hasOutput()) {
    const found = native.lineStart(path, ...["run", "main"].flatMap((name) => [`function ${name}(`, `async function ${name}(`, `const ${name} = `]));
    if (found >= 0 && !callsItself()) {
      throw new Ending(`${path} is a module and does not export its \`${found < 3 ? "run" : "main"}\`: write \`export\` before it`);
    }
  }
  terminal.asOutput();
  isScript = true;
  watched = { state: 0, value: undefined };
  return undefined;
}

export function invoke(run) {
  watch(run(input));
}

function refuse(result) {
  throw new TypeError(`the result is ${result}, which is not JSON`);
}

/** The JSON text of what the agent returned. */
export function encode() {
  const result = value();
  switch (typeof result) {
    case "undefined":
      return "null";
    case "function":
      return refuse("a function");
    case "symbol":
      return refuse("a symbol");
    case "bigint":
      return refuse("a BigInt");
    case "object":
      if (result !== null && typeof result.next === "function" && (Symbol.iterator in result || Symbol.asyncIterator in result)) {
        return refuse("a generator");
      }
  }
  let json;
  try {
    json = stringify(result);
  } catch (error) {
    const problem = error instanceof TypeError ? String(error.message) : "";
    if (/circular/i.test(problem)) throw new TypeError("the result is not JSON: it contains itself");
    if (/bigint/i.test(problem)) throw new TypeError("the result is not JSON: it contains a BigInt; convert it with Number() or String()");
    throw error;
  }
  if (json === undefined) throw new TypeError("the result is not JSON: its toJSON returned nothing that JSON has");
  return json;
}

/** The JSON text of what a plain script printed. */
export function output() {
  return stringify(terminal.takeOutput());
}

export function report(thrown) {
  try {
    terminal.asLog();
  } catch {}
  return describe(thrown, note);
}
