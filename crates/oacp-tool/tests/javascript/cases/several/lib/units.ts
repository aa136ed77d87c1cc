export type Unit = "km" | "mi";
export const convert = (value: number, unit: Unit) => value;
