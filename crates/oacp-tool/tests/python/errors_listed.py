"""Lists what is no function."""

__all__ = ["fine", "Shape", "missing"]


def fine() -> None:
    """Is one."""


class Shape:
    pass
