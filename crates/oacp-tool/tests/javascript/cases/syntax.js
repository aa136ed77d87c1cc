/** Broken. */
export function broken(a {
}
