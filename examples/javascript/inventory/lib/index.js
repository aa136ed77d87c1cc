export default class Basket {
  lines = [];
  #prices;
  constructor(prices) {
    this.#prices = prices;
  }
  add(name, count) {
    const price = this.#prices[name];
    if (price === undefined) return false;
    this.lines.push({ name, count, price });
    return true;
  }
}
