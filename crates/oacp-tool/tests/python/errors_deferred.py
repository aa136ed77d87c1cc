# python: 3.14
"""Names that are not there; Python 3.14 looks annotations up only when they are asked for."""

from dataclasses import dataclass


def missing(item: Item, other: int) -> None:
    """Names a class that is nowhere."""


def result(x: int) -> list[Item]:
    """Gives a class that is nowhere."""
    return []


@dataclass
class Order:
    item: Item


def within(order: Order) -> None:
    """Takes a class that names one that is nowhere."""


type Alias = list[Item]


def alias(items: Alias) -> None:
    """Takes what an alias cannot stand for."""


def bound[T: Item](item: T) -> T:
    """Takes what is bound to nothing."""
    return item


type Loop = Loop | None


def loop(loop: Loop) -> None:
    """Takes what stands for itself."""


def ahead(later: Later) -> Later:
    """Names a class that comes later."""
    return later


@dataclass
class Later:
    x: int
