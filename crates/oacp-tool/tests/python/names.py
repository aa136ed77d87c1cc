"""Names for types: NewType, type variables, and generic classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, NewType, TypeVar

UserId = NewType("UserId", int)
T = TypeVar("T")
Number = TypeVar("Number", int, float)
Text = TypeVar("Text", bound=str)


@dataclass
class Page(Generic[T]):
    items: list[T]
    next: int | None = None


def user(id: UserId, friends: list[UserId] = []) -> UserId:
    """Takes an id."""
    return UserId(id + len(friends))


def first(items: Sequence[T], number: Number, text: Text) -> T:
    """Gives the first."""
    return items[0]


def page(days: Page[date], plain: Page) -> Page[date]:
    """Takes pages."""
    return Page([max(days.items)], days.next)
