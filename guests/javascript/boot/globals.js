// What an agent finds in `globalThis` beside the language.
import * as native from "oacp:native";
import { console } from "./console.js";
import * as loop from "./loop.js";
import oacp from "./oacp.js";

function define(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });
}

export function installGlobals() {
  const { clearImmediate, clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = loop;
  const globals = { clearImmediate, clearInterval, clearTimeout, console, oacp, setImmediate, setInterval, setTimeout };
  for (const [name, value] of Object.entries(globals)) define(globalThis, name, value);
  define(Math, "random", function random() {
    return native.random();
  });
}
