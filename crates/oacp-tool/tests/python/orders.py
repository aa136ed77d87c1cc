"""Dataclasses, both ways."""

from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from typing import Annotated, ClassVar


@dataclass(frozen=True)
class Line:
    """One line of an order.

    Attributes:
        name: What is ordered.
        count: How many.
    """

    name: str
    count: int = 1
    price: Annotated[float, "For one"] = 0.0


@dataclass(slots=True, frozen=True)
class Order:
    number: int
    lines: list[Line]
    day: date
    _: KW_ONLY
    tags: set[str] = field(default_factory=set, metadata={"description": "For searching"})
    until: date | None = None
    first: Line = Line("gift", 1, 0.0)
    made: object = field(default_factory=object)
    total: float = field(init=False, default=0.0)
    shop: ClassVar[str] = "here"


class Outer:
    @dataclass
    class Inner:
        x: int


@dataclass
class Empty:
    pass


def place(order: Order, note: str = "") -> Order:
    """Places an order."""
    object.__setattr__(order, "total", sum(line.count * line.price for line in order.lines))
    object.__setattr__(order, "made", note)
    return order


def count(lines: list[Line], more: dict[str, Line] = {}, default: Line = Line("x")) -> int:
    """Counts what lines order."""
    return sum(line.count for line in [*lines, *more.values(), default])


def inner(value: Outer.Inner, nothing: Empty | None = None) -> Outer.Inner:
    """Takes a class of a class."""
    return Outer.Inner(value.x + (nothing is not None))
