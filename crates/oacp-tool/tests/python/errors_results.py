"""Results that no tool can give."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import AsyncGenerator, Generator


def _local():
    @dataclass
    class Hidden:
        x: int
    return Hidden


Known = _local()
found = _local()


def words() -> Iterator[str]:
    """Gives words one by one."""
    yield "a"


def numbers() -> Generator[int, None, None]:
    """Gives numbers one by one."""
    yield 1


async def later() -> AsyncIterator[int]:
    """Gives numbers later."""
    yield 1


async def untold() -> AsyncGenerator[int, None]:
    """Gives numbers later."""
    yield 1


async def silent():
    """Gives something later, without a type."""
    yield 1


def length() -> timedelta:
    """Gives a length."""
    return timedelta(1)


def found_by_name(x: Known) -> Known:
    """Takes a class that was made in a function, and has a name in the module."""
    return x


def nowhere(x: _local()) -> int:
    """Takes a class that was made in a function, and has no name in the module."""
    return x.x


def lost(x: int) -> list[_local()]:
    """Gives a class that was made in a function, and has no name in the module."""
    return []
