import { Unit } from "./units.ts";
export interface Place { name: string; at: Point }
export type Point = { x: number, y: number };
export type Route = { places: Place[]; length: number; unit: Unit };

/** How far it is from one to the other. */
export function distance(from: Place, to: Place): number {
  return Math.hypot(from.at.x - to.at.x, from.at.y - to.at.y);
}
export function join(places: Place[]): Route {
  return { places, length: 0, unit: "km" };
}
