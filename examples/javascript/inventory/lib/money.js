/** Cents of all lines. */
export const total = (lines) => lines.reduce((sum, { count, price }) => sum + count * price, 0);

/** Cents as dollars. */
export const format = (cents) => `$${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
