"""Annotated's objects with the attributes of the package annotated-types, told by their attributes alone."""

import re
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Interval:
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None


@dataclass(frozen=True)
class Len:
    min_length: int = 0
    max_length: int | None = None


@dataclass(frozen=True)
class MultipleOf:
    multiple_of: float


@dataclass(frozen=True)
class Pattern:
    pattern: str


class Unit:
    """Says nothing that JSON Schema knows."""


def book(
    seats: Annotated[int, Interval(ge=1, le=9), "How many seats"],
    price: Annotated[float, Interval(gt=0, lt=1000.5), MultipleOf(0.5)],
    code: Annotated[str, Len(6, 6), Pattern("^[A-Z0-9]+$")],
    names: Annotated[list[Annotated[str, Len(1)]], Len(1, 9)],
    extra: Annotated[dict[str, int], Len(max_length=3)] = {},
    word: Annotated[str, re.compile("[a-z]+")] = "a",
    age: Annotated[int | None, Interval(ge=0)] = None,
    weight: Annotated[float, Unit()] = 1.0,
    both: Annotated[str | list[str], Len(2)] = "ab",
) -> Annotated[int, Interval(ge=1)]:
    """Books seats."""
    return seats


def text_has_no_bounds(word: Annotated[str, Interval(ge=1)]) -> None:
    """Asks for what text cannot have."""


def bytes_are_not_counted(data: Annotated[bytes, Len(1)]) -> None:
    """Would count the letters of base64."""


def bound_is_no_number(count: Annotated[int, Interval(ge="a")]) -> None:
    """Has a bound that JSON Schema cannot say."""
