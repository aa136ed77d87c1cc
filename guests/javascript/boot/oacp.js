// Module `oacp`: what an agent can ask of its host.
import { log } from "./console.js";
import { CapabilityDenied } from "./denied.js";
import { env } from "./env.js";
import { FileError, files } from "./files.js";
import { ToolError, call, callSync } from "./tools.js";

export { CapabilityDenied, FileError, ToolError, env, files, log };

/** The host's tools. */
export const tools = { call, callSync };

/** The run's input, as `run(input)` gets it. */
export let input;

export function setInput(value) {
  input = value;
}

const oacp = { tools, files, env, log, ToolError, FileError, CapabilityDenied };
Object.defineProperty(oacp, "input", { get: () => input, enumerable: true });
export default oacp;
