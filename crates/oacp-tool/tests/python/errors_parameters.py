"""What is wrong with parameters and docstrings."""

from collections.abc import Callable


def silent(x: int) -> int:
    return x


def only_parameters(x: int) -> int:
    """
    Args:
        x: A number.
    """
    return x


def untyped(x, y: int, *, z=None, **rest) -> int:
    """Has no types."""
    return y


def many(*values: int) -> int:
    """Takes values without names."""
    return sum(values)


def größe(x: int) -> int:
    """Has a name with an umlaut."""
    return x


def by_key(words: list[str], key: Callable[[str], int] = lambda word: len(word)) -> list[str]:
    """Takes a function."""
    return sorted(words, key=key)


def unseen(x: int = lambda: 3, y: list[float] = [float("nan")], z: int = 2**60, u: int = None, v: str | None = None) -> int:
    """Has defaults that are not JSON, or not of the type."""
    return 3


def untold(x: int):
    """Does not say what it returns."""
    return x
