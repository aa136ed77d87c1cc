"""Functions with decorators, and what is beside them."""

import functools
from datetime import date
from os.path import basename
from shop.models import double
from unittest.mock import call


def _traced(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper


def _counted(function):
    def wrapper(*args, **kwargs):
        """Hides what it wraps."""
        return function(*args, **kwargs)
    return wrapper


@_traced
def later(x: date, /, days: int = 0) -> date:
    """Is wrapped."""
    return x


@functools.cache
def cached(x: int) -> int:
    """Is kept."""
    return x * x


@_traced
async def waiting(x: date) -> date:
    """Is wrapped by a function that is not async."""
    return x


@_counted
def hidden(x: int) -> int:
    """Is wrapped without functools.wraps."""
    return x


again = later
twice = lambda x: x * 2


class Tool:
    """Is no function."""
