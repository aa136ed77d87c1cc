"""What the tools of this package share."""

from dataclasses import dataclass
from datetime import date


@dataclass
class Item:
    name: str
    since: date


def double(x: int) -> int:
    """Doubles a number."""
    return x * 2
