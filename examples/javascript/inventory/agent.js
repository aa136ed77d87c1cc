// An agent of several files: modules and data are imported by relative path.
import { log } from "oacp";
import prices from "./data/prices.json";
import { format, total } from "./lib/money.js";
import Basket from "./lib";

export async function run(input) {
  const basket = new Basket(prices);
  for (const [name, count] of Object.entries(input.order)) {
    if (!basket.add(name, count)) log.warn(`there is no ${name}`);
  }
  const { describe } = await import("./lib/describe.mjs");
  return { lines: basket.lines.map(describe), total: format(total(basket.lines)) };
}
