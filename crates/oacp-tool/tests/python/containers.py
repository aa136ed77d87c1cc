"""Lists, tuples, sets and maps, with and without conversion of what is in them."""

import typing
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date
from typing import Any


def lists(a: list[int], b: Sequence[str], c: Iterable[float], d: list = [], e: typing.List[Any] = []) -> list[list[int]]:
    """Needs no conversion."""
    return [a, [len(b), len(list(c))], d, e]


def tuples(a: tuple[int, str], b: tuple[float, ...], c: tuple[()] = (), d: tuple = (1, "x"), e: typing.Tuple = ()) -> tuple[str, int]:
    """Makes tuples, and gives one."""
    return repr((a, b, c, d, e)), len(b)


def sets(a: set[int], b: frozenset[str] = frozenset(), c: Set[bool] = frozenset(), d: set = set()) -> set[str]:
    """Makes sets, and gives one."""
    return {type(a).__name__, type(b).__name__, type(c).__name__, type(d).__name__, *map(str, a)}


def orders() -> tuple[set[int], set[str | int], frozenset[date], set[tuple[int, int]]]:
    """Gives sets in an order that does not come from hashes."""
    return {10, 9, 1}, {"b", "a", 2, 10}, frozenset({date(2026, 2, 1), date(2025, 3, 1)}), {(2, 1), (1, 5)}


def maps(a: dict[str, int], b: Mapping[str, list[str]], c: dict = {}, d: Mapping[str, Any] = {}) -> Mapping[str, int]:
    """Needs no conversion on the way in."""
    from types import MappingProxyType
    return MappingProxyType({**a, "b": len(b)})


def nested(days: dict[str, list[date]], pairs: list[tuple[str, date]]) -> dict[str, list[set[date]]]:
    """Converts what is deep inside."""
    return {name: [set(found), {day for _, day in pairs}] for name, found in days.items()}


def anything(value: Any, thing: object = None) -> Any:
    """Takes and gives any JSON."""
    return [value, thing]


def streams(count: int) -> Iterable[int]:
    """Gives a generator, as a list."""
    yield from range(count)
