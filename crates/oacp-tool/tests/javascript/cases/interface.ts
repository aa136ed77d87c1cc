import type { Unused } from "./elsewhere.ts";

/** Where something is. */
export interface Place {
  /** As on a map. */
  name: string;
  readonly latitude: number;
  longitude: number;
}

interface Query extends Partial<Place> {
  /**
   * How many to find.
   * @minimum 1
   * @maximum 100
   * @integer
   */
  limit?: number;
  kind: Kind | null;
  tags: readonly string[];
  [more: string]: unknown;
}

type Kind = "city" | "village" | "hamlet";
type integer = number;

const UNITS = ["km", "mi"] as const;
const MODES = { fast: "f", slow: "s" } as const;

/**
 * Finds places.
 * @returns those that were found
 */
export async function find(query: Query): Promise<Place[]> {
  const found = [] as Place[];
  return found;
}

/** How far it is. */
export function distance(
  from: Place,
  to: Pick<Place, "latitude" | "longitude">,
  unit: (typeof UNITS)[number] = "km",
  mode?: (typeof MODES)[keyof typeof MODES],
  steps: integer = 1,
): number {
  return 0;
}

/** All of it. */
export const everything = async ({
  a,
  b = true,
  c,
}: {
  /** the first */
  a: string | number;
  b?: boolean;
  c: [x: number, y?: string, ...rest: boolean[]];
  d?: Record<"left" | "right", number>;
  e?: Omit<Place, "name"> & { extra: bigint64 };
  f: Required<Pick<Query, "limit">>;
  g?: (string | null)[];
  h: keyof Place;
  i: Place["name"];
  j?: "only";
  k?: 1 | 2 | 3;
  l: string | undefined;
}): Promise<
  | Place
  | undefined
> => {
  return undefined;
};

type bigint64 = string;
