const city = { type: "string" };

export const schemas = {
  forecast: { input: { properties: { city } } },
};

/** The weather. @param {string} city */
export function forecast(city) {}
