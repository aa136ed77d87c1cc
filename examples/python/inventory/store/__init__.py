"""A store's shelf."""

from .shelf import Shelf, UnknownItem

__all__ = ["Shelf", "UnknownItem"]
