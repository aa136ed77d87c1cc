// The monotonic clock. A run's time begins when it first looks at it.
import * as native from "oacp:native";

let origin;

/** Nanoseconds. */
export function now() {
  const time = native.now();
  origin ??= time;
  return time;
}

/** Milliseconds since the run's time began. */
export function elapsed() {
  const time = now();
  return (time - origin) / 1e6;
}
