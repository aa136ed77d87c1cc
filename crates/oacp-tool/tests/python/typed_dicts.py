"""TypedDicts: with all keys, with some, and with both."""

from datetime import date
from typing import Annotated, NotRequired, Required, TypedDict


class Point(TypedDict):
    """A place on a map."""

    x: float
    y: Annotated[float, "To the north"]


class Options(TypedDict, total=False):
    depth: int
    name: Required[str]


class Visit(Point):
    day: date
    until: NotRequired[date]
    options: NotRequired[Options]


Odd = TypedDict("Odd", {"my-key": int, "class": str})

VISITS: list[Visit] = []


def distance(a: Point, b: Point) -> float:
    """Says how far two places are apart."""
    return ((a["x"] - b["x"]) ** 2 + (a["y"] - b["y"]) ** 2) ** 0.5


def visit(visit: Visit, many: list[Visit] = []) -> Visit:
    """Notes a visit; what is kept here stays as it is."""
    assert isinstance(visit["day"], date)
    VISITS.append(visit)
    return VISITS[0]


def options(options: Options, odd: Odd | None = None) -> Options:
    """Gives back what it was given."""
    return {**options, "depth": len(odd or ())}


def which(value: Point | Options | Visit) -> str:
    """Tells them apart by their keys."""
    return ",".join(f"{key}:{type(one).__name__}" for key, one in sorted(value.items()))
