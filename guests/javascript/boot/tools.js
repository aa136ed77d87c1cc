// Calling the host's tools, and how a call fails.
import * as native from "oacp:native";
import { denied, placed } from "./denied.js";
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

// `site` has the stack of the call.
function result(tool, [call, bytes, code, message, detail], site) {
  if (code === undefined) {
    try {
      return parse(native.decode(bytes, false));
    } catch {
      throw placed(new ToolError(`tool \`${tool}\` answered with something that is not JSON`, { tool, call }), site);
    }
  }
  throw placed(code === "denied" ? denied(message, detail, { tool, call }) : new ToolError(message, { code, tool, call }), site);
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
