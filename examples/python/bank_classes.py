"""Accounts as classes: inheritance, operators and own exceptions."""


class Refused(Exception):
    def __init__(self, owner, missing):
        super().__init__(f"{owner} lacks {missing}")


class Account:
    limit = 0

    def __init__(self, owner, balance=0):
        self.owner, self.balance = owner, balance

    def move(self, amount):
        if self.balance + amount < -self.limit:
            raise Refused(self.owner, -(self.balance + amount + self.limit))
        self.balance += amount

    def __lt__(self, other):
        return self.balance < other.balance


class Business(Account):
    limit = 100


def run(input):
    kinds = {"private": Account, "business": Business}
    accounts = {one["owner"]: kinds[one["kind"]](one["owner"], one["balance"]) for one in input["accounts"]}
    refusals = []
    for payer, payee, amount in input["payments"]:
        try:
            accounts[payer].move(-amount)
            accounts[payee].move(amount)
        except Refused as error:
            refusals.append(str(error))
    return {"balances": {a.owner: a.balance for a in sorted(accounts.values())}, "refusals": refusals}
