"""A module that lies about itself; it describes itself all the same."""

import builtins
import sys

print("hello from the top level")
builtins.isinstance_of_old, builtins.print = builtins.isinstance, lambda *_: None
__name__ = "os"
__file__ = "/etc/passwd"
__doc__ = object()


class Meta(type):
    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return 1


class Strange(metaclass=Meta):
    pass


def honest(x: int) -> int:
    """Doubles."""
    return x * 2


def strange(x: Strange) -> None:
    """Takes a class that equals every other."""


def objects(x: int) -> int:
    return x


objects.__doc__ = object()
honest.__module__ = "sys"
sys.modules["os.path.nothing"] = None
