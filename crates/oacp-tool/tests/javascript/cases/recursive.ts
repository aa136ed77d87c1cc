/** A node of a tree. */
export interface Node {
  value: string;
  left?: Node;
  right?: Node;
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Turns a tree around. */
export function mirror(tree: Node): Node {
  return { ...tree, left: tree.right, right: tree.left };
}

/** Says what it is given. */
export const echo = (value: Json, times: number = 1): Json => value;
