// How a refusal of the host's arrives: one class for tools, network, files and environment.
import * as native from "oacp:native";

const { parse } = JSON;
const { isArray } = Array;

/** The run's grant does not cover what was asked for. */
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

// The message alone says what would mend it: often it is all that is read.
function full(message, { rule, nearest, fix }) {
  if (typeof rule === "string" && rule !== "") message += `, by ${rule}`;
  if (typeof nearest === "string" && nearest !== "") message += `; granted is ${nearest}`;
  if (isArray(fix) && fix.length > 0) message += `; to allow it: ${fix.join(", or ")}`;
  return message;
}

/** The error of a denial. `call` is left out where the denied was no call of the guest's; the host numbered it then. */
export function denied(message, detail, { tool, call } = {}) {
  let told;
  try {
    told = parse(detail);
  } catch {}
  told ??= {};
  call ??= native.latestDenial();
  const error = new CapabilityDenied(full(message, told), { ...told, tool, call });
  if (call !== undefined) denials.set(error, call);
  return error;
}

/** Gives `error` the stack of `site`, which says more than where the answer arrived. */
export function placed(error, site) {
  const { stack } = site;
  if (typeof stack === "string") Object.defineProperty(error, "stack", { value: stack, writable: true, configurable: true });
  return error;
}
