#!/usr/bin/env node
import { type A, type B } from "./erased.ts";
type Local = { a: string };
declare const injected: string;
declare module "x" { export const y: number; }
abstract class Base<T extends object = {}> implements Iterable<T> {
  declare readonly phantom: string;
  private static readonly count: number = 1;
  public name?: string;
  protected value!: T;
  [key: string]: unknown;
  static { this.count; }
  constructor(name?: string, other?: number);
  constructor(name?: string) { this.name = name; }
  abstract area(): number;
  public async load<K extends keyof T>(this: Base<T>, key: K, ...rest: unknown[]): Promise<T[K]> { return this.value![key] as T[K]; }
  get size(): number { return 1 }
  optional?(): void {}
  *[Symbol.iterator](): Iterator<T> {}
}
class Derived extends Base<{ a: 1 }> implements Disposable, AsyncDisposable {
  override name = "x" as string
  private *generator() {}
  get: string
  other() {}
}
let a: string = "1", b!: number, c = <any>a;
const d = a as unknown as number
;[1, 2].forEach((x: number): void => {})
const e = d!
(function () {})
const f = async <T,>(x: T): Promise<T> => x;
const g = (x: { a: string }, y?: number): {
  a: string;
  b: number;
} => ({ a: "é", b: 1 }) satisfies Local & { b: number };
const h = d as {
  x: number
}
[0]
foo<string>("a"); new Map<string, number[]>(); tag<string>`x`; const i = foo<number>;
for (const x of <number[]>[1]) if (x) type = x as any
else type = x!;
var type: any;
try {} catch (error: unknown) {}
function assert(x: unknown): asserts x is string {}
function overload(x: string): void
function overload(x: any) {}
interface Local2 extends Local {}
(a as any) = 5;
a! += "b";
[a as any] = [1];
label: for (;;) { break label }
export type { Local };
export { type Local as Local3, d, Local as Erased };
export default interface Shape {}
namespace Types { export type X = 1; interface Y {} }
const é = "ü" as string, z: number = 1;

/** Does nothing. */
export function nothing(): void {}
