/** Not exported. */
function helper() {}
export const answer = 42;
