"""Names that are not there when the types are looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

Json = dict[str, "Json"]


def missing(item: Item) -> None:
    """Names a class that is nowhere."""


def checking(price: Decimal) -> None:
    """Names what only type checkers import."""


@dataclass
class Order:
    item: Item


def within(order: Order) -> None:
    """Takes a class that names one that is nowhere."""


def itself(value: Json) -> None:
    """Takes a type that names itself, and is no `type`."""


def made_here(value: int) -> _made() :
    """Has an annotation that raises."""


def _made():
    raise ValueError("no type today")
