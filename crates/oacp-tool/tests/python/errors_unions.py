"""Unions whose types look the same."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass
class Cat:
    name: str


@dataclass
class Dog:
    name: str


def pet(pet: Cat | Dog) -> None:
    """Takes objects with the same keys."""


def numbers(values: list[int] | list[Cat]) -> None:
    """Takes lists, of which only the second needs conversion."""


def any_object(value: dict[str, int] | Cat) -> None:
    """Takes an object that would never be a Cat."""


def object_last(value: Cat | dict[str, int]) -> None:
    """Takes a Cat, or any other object: this is told by the keys."""


def lists() -> list[date] | list[UUID]:
    """Gives lists of things that are written in different ways."""
    return []
