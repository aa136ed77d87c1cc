"""Works out an invoice with dataclasses, an enum and exact decimal arithmetic."""

from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum


class Rate(StrEnum):
    FULL = "full"
    REDUCED = "reduced"


PERCENT = {Rate.FULL: Decimal(19), Rate.REDUCED: Decimal(7)}


@dataclass(frozen=True)
class Line:
    text: str
    count: int
    price: Decimal
    rate: Rate = Rate.FULL

    @property
    def net(self):
        return self.count * self.price


def tax(lines):
    exact = sum((line.net * PERCENT[line.rate] / 100 for line in lines), Decimal())
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def run(input):
    lines = [Line(one["text"], one["count"], Decimal(one["price"]), Rate(one.get("rate", "full"))) for one in input["lines"]]
    net = sum(line.net for line in lines)
    shown = [{**asdict(line), "price": str(line.price)} for line in lines]
    return {"number": input["number"], "lines": shown, "net": str(net), "tax": str(tax(lines)), "gross": str(net + tax(lines))}
