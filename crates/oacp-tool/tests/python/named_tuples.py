"""NamedTuples are objects in JSON."""

from collections import namedtuple
from datetime import date
from typing import NamedTuple


class Span(NamedTuple):
    """Some days."""

    first: date
    days: int = 1


class Size(NamedTuple):
    width: int
    height: int


Bare = namedtuple("Bare", "a b")


def longer(span: Span, size: Size = Size(1, 2)) -> Span:
    """Makes a span longer."""
    return span._replace(days=span.days + size.width)


def sizes(sizes: list[Size]) -> tuple[Size, list[Size]]:
    """Gives sizes."""
    return sizes[0], sizes


def bare(value: Bare) -> None:
    """Takes one without types."""
