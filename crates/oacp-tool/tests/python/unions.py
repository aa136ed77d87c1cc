"""Types of which one is chosen, by what the JSON looks like."""

import datetime
import typing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Optional, Union


@dataclass
class Circle:
    kind: Literal["circle"]
    size: float


@dataclass
class Square:
    kind: Literal["square"]
    size: float


@dataclass
class Named:
    name: str
    day: datetime.date | None = None


def plain(a: int | str, b: Optional[int] = None, c: Union[int, float, None] = None, d: bool | list[str] | None = None) -> int | str | None:
    """Needs no conversion."""
    return repr((a, b, c, d))


def optional(day: datetime.date | None, days: list[datetime.date | None] = [], path: Path | str = "x") -> datetime.date | None:
    """Converts what is not null."""
    return day or next(filter(None, days), None)


def tagged(shape: Circle | Square) -> Circle | Square:
    """Tells objects apart by a field that names them."""
    return type(shape)(shape.kind, shape.size * 2)


def by_keys(thing: Named | Circle | list[Named] | str | None) -> str:
    """Tells objects apart by their keys, other types by their JSON type."""
    return repr(thing)


def parsed(when: datetime.datetime | str, amount: Decimal | int | str = 0) -> list[str]:
    """Tries the stricter text first."""
    return [repr(when), repr(amount)]


def in_order(when: str | datetime.datetime, now: Literal["now"] | datetime.date = "now") -> list[str]:
    """Gives text as text: `str` comes first."""
    return [repr(when), repr(now)]


def given() -> list[Named | Decimal | datetime.datetime | datetime.date | str | None]:
    """Gives results of several types."""
    day = datetime.date(2026, 1, 2)
    return [Named("n", day), Decimal("1.50"), datetime.datetime(2026, 1, 2), day, "s", None]


def all_of(value: Any | int, flag: typing.Union[bool, Any] = None) -> None:
    """Takes anything, since Any does."""
