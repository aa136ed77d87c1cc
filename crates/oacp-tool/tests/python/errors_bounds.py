"""More than there may be."""

from dataclasses import dataclass
from typing import Any


def long(x: int) -> None:
    pass


long.__doc__ = "x" * 8193


def deep(x: list[list[list[list[list[list[list[list[list[list[list[list[list[list[list[list[list[list[list[list[list[list[list[list[
        list[list[list[list[list[list[list[int]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]) -> None:
    """Is deeper than 32."""


def _doubling(levels):
    cls: Any = int
    for level in range(levels):
        cls = dataclass(type(f"Level{level}", (), {"__annotations__": {"a": cls, "b": cls}, "__module__": __name__}))
        globals()[f"Level{level}"] = cls
    return cls


Level = _doubling(24)


def wide(x: Level) -> None:
    """Would be 2 to the 24 schemas."""
