"""Writing to the run's log, which is part of its record."""

from __future__ import annotations

from _oacp import console as _console

__all__ = ["debug", "error", "info", "warning"]


def debug(message: object) -> None:
    _console.log_text(_console.DEBUG, str(message))


def info(message: object) -> None:
    _console.log_text(_console.INFO, str(message))


def warning(message: object) -> None:
    _console.log_text(_console.WARNING, str(message))


def error(message: object) -> None:
    _console.log_text(_console.ERROR, str(message))
