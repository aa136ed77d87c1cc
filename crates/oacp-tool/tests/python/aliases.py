# python: 3.12
"""Type aliases of Python 3.12: plain, generic, and recursive."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

type City = Annotated[str, "A city's name"]
type Pair[T] = tuple[T, T]
type Json = None | bool | float | str | list[Json] | dict[str, Json]
type Tree = dict[str, Tree | None]
type Days = date | list[Days]
type Nothing = None


@dataclass
class Box[T]:
    item: T
    more: list[T]


def cities(a: City, b: City = "Bonn", pair: Pair[int] = (1, 2)) -> Pair[City]:
    """Takes cities.

    Args:
        b: Another city.
    """
    return a, b


def json(value: Json, other: Json = None) -> Json:
    """Takes and gives JSON."""
    return value


def tree(tree: Tree | None) -> Tree:
    """Takes a tree."""
    return tree or {}


def days(days: Days, optional: Days | None = None) -> Days:
    """Converts at every level."""
    return days


def boxes(dates: Box[date], numbers: Box[int]) -> Box[Box[date]]:
    """Takes boxes of one class, with different things in them."""
    return Box(dates, [dates])


def nothing(value: Nothing = None) -> Nothing:
    """Takes nothing, and gives it."""
