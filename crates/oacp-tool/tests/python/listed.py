"""Only what `__all__` lists is a tool, under the name that is listed."""

from shop.models import double

__all__ = ["second", "double", "renamed"]


def first(x: int) -> int:
    """Is not listed."""
    return x


def second(x: int) -> int:
    """Is listed."""
    return x


def _private(x: int) -> int:
    """Is listed under another name."""
    return x


renamed = _private
