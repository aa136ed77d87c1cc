"""Values that are listed: Literal and Enum."""

from enum import Enum, IntEnum, StrEnum, auto
from typing import Literal


class Color(Enum):
    """A color of the palette."""

    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mode(StrEnum):
    FAST = auto()
    SAFE = auto()


class Mixed(Enum):
    NONE = None
    ONE = 1
    HALF = 0.5
    YES = "yes"


def paint(color: Color, level: Level = Level.LOW, mode: Mode = Mode.SAFE, mixed: Mixed | None = None) -> list[str]:
    """Paints.

    Args:
        color: The color to use.
    """
    return [repr(color), repr(level), repr(mode), repr(mixed)]


def literal(size: Literal["s", "m"], count: Literal[1, 2, "many"] = 1, on: Literal[True] = True, maybe: Literal["x", None] = None) -> str:
    """Takes literals."""
    return repr((size, count, on, maybe))


def warm(color: Literal[Color.RED]) -> Color:
    """Takes one member, and gives one."""
    return color


def all_colors() -> dict[str, list[Color]]:
    """Gives members of all kinds of enum."""
    return {"colors": list(Color)}


def levels() -> list[Level | Mode]:
    """Gives members that are numbers or text themselves."""
    return [*Level, *Mode]


def key(counts: dict[Literal["a", "b"], int]) -> set[Color]:
    """Takes a map with listed keys, and gives a set."""
    return set(Color) if counts else set()
