export const schemas = {
  forcast: { description: "No function is called so." },
  other: { description: 3 },
  many: { input: { type: "object", properties: { a: {}, c: {} } } },
  strict: { input: { properties: { a: { type: "strin" } } } },
};

/** The weather. */
export function forecast() {}

/** Takes two. */
export function many(a, b) {}

/** Takes one. */
export function strict(a) {}
