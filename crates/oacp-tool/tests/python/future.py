"""Annotations as text."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import NotRequired, TypedDict


def ahead(item: Later, maybe: "Later | None" = None, many: list["Later"] = []) -> typing.Optional[Later]:
    """Names a class that comes later."""
    return item


@dataclass
class Later:
    key: Key
    count: int = 0


class Key(TypedDict):
    id: int
    note: NotRequired[str]
