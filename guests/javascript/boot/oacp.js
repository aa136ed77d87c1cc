// Module `oacp`: what an agent can ask of its host.
import { CapabilityDenied, ToolError, call, callSync } from "./tools.js";
import { log } from "./console.js";

export { CapabilityDenied, ToolError, log };

/** The host's tools. */
export const tools = { call, callSync };

/** The run's input, as `run(input)` gets it. */
export let input;

export function setInput(value) {
  input = value;
}

const oacp = { tools, log, ToolError, CapabilityDenied };
Object.defineProperty(oacp, "input", { get: () => input, enumerable: true });
export default oacp;
