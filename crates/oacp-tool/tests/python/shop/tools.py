"""A tool in a package, with relative imports."""

from . import models
from .models import Item, double


def item(item: Item, times: int = 1) -> models.Item:
    """Renames an item."""
    return Item(item.name * double(times), item.since)
