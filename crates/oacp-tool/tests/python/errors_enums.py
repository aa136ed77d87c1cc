"""Listed values that are not JSON."""

from enum import Enum
from typing import Literal


class Shape(Enum):
    ROUND = (1, 2)
    FLAT = object()


class Nothing(Enum):
    pass


class Big(Enum):
    HUGE = 2**53


def shape(shape: Shape) -> None:
    """Takes members that are no JSON."""


def nothing(nothing: Nothing) -> None:
    """Takes one of none."""


def big(big: Big) -> None:
    """Takes a number that JSON's readers do not agree on."""


def literal(data: Literal[b"x"], mixed: Literal["a", Shape.ROUND]) -> None:
    """Takes literals that are no JSON."""
