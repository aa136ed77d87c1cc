"""Has no tool."""

import os.path
from shop.models import double

LIMIT = 3


def _hidden():
    """Is private."""


class Tool:
    def run(self, x: int) -> int:
        """Is a method."""
        return x
