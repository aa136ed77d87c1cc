/** Generic. */
export function first<T>(values: T[]): T { return values[0]; }

type Page<T> = { items: T[] };

/** Uses a generic. */
export function list(page: number): Page<string> { return { items: [] }; }

/** Overloaded. */
export function over(a: string): string;
export function over(a: number): number;
export function over(a: any): any { return a; }

/** Untyped. */
export function untyped(a, { b }: { b: string }) {}

/** Mapped. */
export function mapped(a: { [K in "x" | "y"]: string }, b: `a${string}`, c: () => void, d: string extends string ? 1 : 2, e: Buffer, f: Missing, g: typeof untyped) {}

/** Generates. */
export async function* stream(): AsyncGenerator<string> {}

/** Loops. */
export function loop(a: Loop, b: Loop2) {}
type Loop = Loop;
type Loop2 = Loop2 & { a: string };
