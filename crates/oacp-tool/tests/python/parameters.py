"""All kinds of parameters."""

from datetime import date


def alone(a: int, b: date, /, c: int = 3) -> list[str]:
    """Takes two without names."""
    return [repr(a), repr(b), repr(c)]


def alone_optional(a: int, b: int = 2, c: int = 3, /, d: int = 4, *, e: date = date(2026, 1, 1)) -> list[int]:
    """Takes some without names, which have defaults."""
    return [a, b, c, d, e.year]


def keywords(*, a: int, b: str = "b") -> str:
    """Takes names only."""
    return b * a


def more(a: int, **rest: date) -> dict[str, int]:
    """Takes any other names."""
    return {name: day.year for name, day in rest.items()} | {"a": a}


def only_more(**rest: int) -> int:
    """Takes any names, with plain values."""
    return sum(rest.values())


def nothing() -> None:
    """Takes nothing."""


def shadows(f: int, a: int, r: int, v: int, run: date, k: int = 0, **input: date) -> set[date]:
    """Has the names that stubs use."""
    return {run, *input.values()}
