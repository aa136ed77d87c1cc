"""Fails when it is imported."""


def _divide(x):
    return 1 / x


_divide(0)
