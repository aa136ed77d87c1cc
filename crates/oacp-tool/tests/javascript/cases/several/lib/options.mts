/** How to travel. */
export default interface Options {
  /** Not on motorways. */
  slow?: boolean;
}
