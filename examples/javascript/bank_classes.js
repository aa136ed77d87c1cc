// Accounts as classes: private fields, getters, inheritance, an error class of its own.
class InsufficientFunds extends Error {
  constructor(account, amount) {
    super(`${account.owner} has ${account.balance}, which is less than ${amount}`);
  }
}

class Account {
  #balance = 0;
  constructor(owner) { this.owner = owner; }
  get balance() { return this.#balance; }
  deposit(amount) { this.#balance += amount; }
  withdraw(amount) {
    if (amount > this.#balance) throw new InsufficientFunds(this, amount);
    this.#balance -= amount;
  }
}

class Savings extends Account {
  static rate = 5;
  addInterest() {
    this.deposit(Math.floor((this.balance * Savings.rate) / 100));
  }
}

function run({ moves }) {
  const accounts = { ada: new Savings("ada"), bob: new Account("bob") };
  const refused = [];
  for (const { who, amount } of moves) {
    try {
      if (amount >= 0) accounts[who].deposit(amount);
      else accounts[who].withdraw(-amount);
    } catch (error) {
      refused.push(`${error.constructor.name}: ${error.message}`);
    }
  }
  accounts.ada.addInterest();
  return { balances: Object.values(accounts).map(({ owner, balance }) => [owner, balance]), refused };
}
