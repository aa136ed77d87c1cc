import csv
from decimal import Decimal


class UnknownItem(LookupError):
    pass


class Shelf:
    def __init__(self, prices):
        self.prices = prices

    @classmethod
    def from_csv(cls, text):
        return cls({row["item"]: Decimal(row["price"]) for row in csv.DictReader(text.splitlines())})

    def cost(self, name, count):
        if name not in self.prices:
            raise UnknownItem(f"no such item: {name}")
        return self.prices[name] * count
