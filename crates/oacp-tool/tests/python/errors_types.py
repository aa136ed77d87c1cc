"""Types that have no JSON form."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import InitVar, dataclass
from datetime import timedelta
from enum import Flag


class Plain:
    pass


class Rights(Flag):
    READ = 1
    WRITE = 2


@dataclass
class Job:
    name: str
    length: timedelta


@dataclass
class Batch:
    jobs: list[Job]


@dataclass
class Made:
    x: InitVar[int]


def standard(a: timedelta, b: complex, c: bytearray, d: range, e: type[int], f: Iterator[int]) -> None:
    """Takes types of the standard library."""


def own(a: Plain, b: list[Plain | None], c: Rights, d: Made) -> None:
    """Takes types of its own."""


def deep(batch: Batch, again: Batch, job: Job | None) -> None:
    """Takes a type with a type that has none."""


def keys(a: dict[int, str], b: dict[tuple[int, int], list[int]]) -> None:
    """Takes maps whose keys are no text."""


def no_types(a: 5, b: [int], c: "a sentence") -> None:
    """Has annotations that are no types."""


def no_types_either(a: 5, b: [int], c: Callable) -> Awaitable[int]:
    """Has annotations that are no types."""
