"""Exchange rates of the European Central Bank, from a server of the Frankfurter API."""

import json
import os
from datetime import date
from decimal import Decimal
from typing import Annotated, NamedTuple, TypedDict
from urllib.parse import urlencode
from urllib.request import urlopen

PUBLIC = "https://api.frankfurter.dev/v1/latest"


class Pattern(NamedTuple):
    """What a string looks like, for its schema."""

    pattern: str


Currency = Annotated[str, Pattern("^[A-Z]{3}$"), "A currency of ISO 4217, as EUR"]


class Rates(TypedDict):
    date: Annotated[date, "The day of the rates"]
    rates: Annotated[dict[str, Decimal], "What one of the base currency is in each of the others"]


def rates(base: Currency, others: list[Currency]) -> Rates:
    """Looks up the latest exchange rates between a currency and others."""
    query = urlencode({"base": base, "symbols": ",".join(others)})
    server = os.environ.get("RATES_URL", PUBLIC)
    with urlopen(f"{server}?{query}", timeout=10) as response:
        answer = json.load(response, parse_float=Decimal, parse_int=Decimal)
    found = answer["rates"]
    if missing := [other for other in others if other not in found]:
        raise LookupError(f"the server has no rate for {', '.join(missing)}")
    return {"date": date.fromisoformat(answer["date"]), "rates": {other: found[other] for other in others}}
