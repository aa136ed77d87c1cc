"""Adds up expenses in several currencies. It knows no rates: it may call the tool `rates`, which may use the network; it may not itself."""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Literal, NotRequired, TypedDict

import oacp

CENT = Decimal("0.01")


class Expense(TypedDict):
    what: str
    kind: Literal["travel", "lodging", "meals", "other"]
    amount: Decimal
    currency: NotRequired[Annotated[str, "If it is not the claim's"]]


class Claim(TypedDict):
    total: Decimal
    by_kind: dict[str, Decimal]
    rates: Annotated[dict[str, Decimal], "What one of the claim's currency is in each of the others"]


def expenses(items: list[Expense], currency: Annotated[str, "What the claim is in, as EUR"]) -> Claim:
    """Adds up expenses in one currency, at the latest exchange rates. Each is rounded to cents."""
    others = sorted({item.get("currency", currency) for item in items} - {currency})
    rates = {}
    if others:
        rates = {name: Decimal(rate) for name, rate in oacp.tools.call("rates", base=currency, others=others)["rates"].items()}
    by_kind = defaultdict(Decimal)
    for item in items:
        rate = rates.get(item.get("currency"), Decimal(1))
        by_kind[item["kind"]] += (item["amount"] / rate).quantize(CENT, ROUND_HALF_UP)
    return {"total": sum(by_kind.values(), Decimal()), "by_kind": dict(by_kind), "rates": rates}
