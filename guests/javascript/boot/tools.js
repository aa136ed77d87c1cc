// Calling the host's tools, and how a call fails.
import * as native from "oacp:native";
import { open, waitFor } from "./loop.js";

const { parse, stringify } = JSON;
const { captureStackTrace } = Error;
const { isArray } = Array;

/** A tool call gave no result. */
export class ToolError extends Error {
  constructor(message, { code = "tool_error", tool = "", call, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.tool = tool;
    this.call = call;
  }
}
Object.defineProperty(ToolError.prototype, "name", { value: "ToolError", writable: true, configurable: true });

/** A call was refused because the run's grant does not cover it. */
export class CapabilityDenied extends Error {
  constructor(message, { code = "denied", tool = "", call, capability, asked, nearest, rule, fix } = {}) {
    super(message);
    this.code = code;
    this.tool = tool;
    this.call = call;
    this.capability = capability;
    this.asked = asked;
    this.nearest = nearest;
    this.rule = rule;
    this.fix = fix;
  }
}
Object.defineProperty(CapabilityDenied.prototype, "name", { value: "CapabilityDenied", writable: true, configurable: true });

/** Every denial that the host told: the error, and the call that was refused. */
export const denials = new WeakMap();

function start(name, args) {
  if (typeof name !== "string") throw new TypeError(`a tool's name is a string, not ${kind(name)}`);
  if (args === undefined) args = {};
  if (args === null || typeof args !== "object" || isArray(args)) {
    throw new TypeError(`the arguments of tool \`${name}\` are an object, not ${kind(args)}`);
  }
  let json;
  try {
    json = stringify(args);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypeError(`the arguments of tool \`${name}\` are not JSON: ${error.message}`, { cause: error });
  }
  if (json === undefined || json[0] !== "{") throw new TypeError(`the arguments of tool \`${name}\` are not a JSON object`);
  return native.start(name, json);
}

function kind(value) {
  if (value === null) return "null";
  return isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

// `site` has the stack of the call, which says more than where the answer arrived.
function fail(error, site) {
  const { stack } = site;
  if (typeof stack === "string") Object.defineProperty(error, "stack", { value: stack, writable: true, configurable: true });
  return error;
}

function result(tool, [call, text, code, message, detail], site) {
  if (code === undefined) {
    try {
      return parse(text);
    } catch {
      throw fail(new ToolError(`tool \`${tool}\` answered with something that is not JSON`, { tool, call }), site);
    }
  }
  if (code !== "denied") throw fail(new ToolError(message, { code, tool, call }), site);
  let told;
  try {
    told = parse(detail);
  } catch {}
  const error = fail(new CapabilityDenied(message, { ...told, tool, call }), site);
  denials.set(error, call);
  throw error;
}

/** Calls the tool `name`; its result, as a promise. Several calls may be open at once. */
export async function call(name, args) {
  const site = {};
  captureStackTrace(site, call);
  const id = start(name, args);
  return result(name, await new Promise((resolve) => open(id, resolve)), site);
}

/** Calls the tool `name` and waits for its result; nothing else runs meanwhile. */
export function callSync(name, args) {
  const site = {};
  captureStackTrace(site, callSync);
  return result(name, waitFor(start(name, args)), site);
}
