// `env`: the variables of the environment that the run was granted. The host is asked when somebody first looks.
import * as native from "oacp:native";

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
// What JSON, promises and formatters look for on any object: no variable is meant.
const LOOKED_FOR = new Set(["constructor", "inspect", "length", "nodeType", "then", "toJSON", "toString", "valueOf"]);

const target = {};
let loaded = false;
let asked = new Set(); // names that are missing, and of which the host has been told

function load() {
  if (loaded) return;
  loaded = true;
  const list = native.variables();
  for (let i = 0; i < list.length; i += 2) target[list[i]] = list[i + 1];
}

// That a variable was looked for which is not granted is worth a denial in the record, and to the agent it is one that is not set.
function look(name) {
  load();
  if (typeof name !== "string" || name in target || LOOKED_FOR.has(name) || asked.has(name) || !NAME.test(name)) return;
  asked.add(name);
  const [value] = native.variable(name);
  if (value !== undefined) target[name] = value;
}

/** What an earlier run in this instance was given is not this one's. */
export function forgetEnvironment() {
  if (!loaded) return;
  loaded = false;
  asked = new Set();
  for (const name of Object.keys(target)) delete target[name];
}

/** For formatters: what is behind `env`, which is empty until it is looked at. */
export function unveil(object) {
  if (object === target) load();
  return object;
}

function refuse() {
  throw new TypeError("the environment cannot be changed");
}

export const env = new Proxy(target, {
  get: (_, name) => (look(name), Reflect.get(target, name)),
  has: (_, name) => (look(name), Reflect.has(target, name)),
  getOwnPropertyDescriptor: (_, name) => (look(name), Reflect.getOwnPropertyDescriptor(target, name)),
  ownKeys: () => (load(), Reflect.ownKeys(target)),
  set: refuse,
  defineProperty: refuse,
  deleteProperty: refuse,
  preventExtensions: refuse,
  setPrototypeOf: refuse,
});
