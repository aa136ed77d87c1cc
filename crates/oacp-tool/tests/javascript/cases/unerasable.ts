export enum Unit { Km, Mi }
namespace Values { export const x = 1; }
class Point {
  constructor(private x: number, readonly y = 1) {}
}
import fs = require("fs");
export = Point;
@sealed
class Sealed {}
