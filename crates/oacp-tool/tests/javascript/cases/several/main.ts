import { Place, distance } from "./lib/geo.ts";
import type Options from "./lib/options.mts";
import { type Unit, convert } from "./lib/units";
import * as geo from "./lib/geo";
import data from "./data.json";
export { distance, Place } from "./lib/geo.ts";
export type { Unit };

/**
 * A route between places.
 */
export async function route(places: Place[], options: Options = {}, unit?: Unit): Promise<import("./lib/geo.ts").Route> {
  const { later } = await import("./lib/later.ts");
  return geo.join(places) as any;
}
