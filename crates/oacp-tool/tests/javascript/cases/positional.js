/**
 * The weather of the next days.
 *
 * Use it for any place on earth.
 *
 * @param {string} city - as "Bern, CH"
 * @param {integer} [days=3] - how many,
 *   counted from today
 * @param {'celsius' | 'fahrenheit'} [unit] the unit of {@link Forecast temperatures}
 * @returns {Promise<{day: string, temperature: number, rain?: boolean}[]>} one for each day
 */
export async function forecast(city, days = 3, unit) {
  return [];
}
