"""Where text goes: stdout, stderr, `logging` and `oacp.log`.

In an agent all of it becomes log events, a line an event. A plain script's stdout is its result.
"""

import errno
import io
import logging
import sys

from componentize_py_types import Err
from wit_world.imports import log as _log

DEBUG, INFO, WARNING, ERROR = _log.Level.DEBUG, _log.Level.INFO, _log.Level.WARNING, _log.Level.ERROR

OUTPUT_BYTES_MAX = 16 * 1024 * 1024
LINE_BYTES_MAX = 8 * 1024  # a longer line is logged in pieces


def _emit(level, line):
    try:
        _log.log(level, line)
    except Err as error:
        raise OSError(errno.ENOSPC, error.value.message) from None


def _pieces(line):
    """`line`, a bytes object, as texts of at most LINE_BYTES_MAX."""
    while len(line) > LINE_BYTES_MAX:
        end = LINE_BYTES_MAX
        while end > LINE_BYTES_MAX - 4 and line[end] & 0xC0 == 0x80:
            end -= 1  # not within a character
        yield line[:end].decode("utf-8", "replace")
        line = line[end:]
    yield line.decode("utf-8", "replace")


def log_text(level, text):
    """Logs `text`, a line an event."""
    for line in text.split("\n"):
        for piece in _pieces(line.encode("utf-8", "backslashreplace")):
            _emit(level, piece)


class _Lines(io.BufferedIOBase):
    """A byte stream whose lines become log events."""

    def __init__(self, level):
        self._level = level
        self._rest = b""

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = b""
        for line in lines:
            self._log(line)
        if len(rest) > LINE_BYTES_MAX:
            self._log(rest)
        else:
            self._rest = rest
        return len(data)

    def _log(self, line):
        for piece in _pieces(line):
            _emit(self._level, piece)

    def finish(self):
        rest, self._rest = self._rest, b""
        if rest:
            self._log(rest)


class _Collected(io.BytesIO):
    """A plain script's stdout."""

    def write(self, data):
        if self.tell() + memoryview(data).nbytes > OUTPUT_BYTES_MAX:
            raise OSError(errno.EFBIG, f"the output of a script is limited to {OUTPUT_BYTES_MAX // 1024 // 1024} MiB")
        return super().write(data)

    def close(self):
        pass  # a script that closes its stdout has still written what it wrote


class _Handler(logging.Handler):
    """The root logger's handler: `logging`'s records as log events."""

    def emit(self, record):
        try:
            text = self.format(record)
            number = record.levelno
            level = (DEBUG if number < logging.INFO else INFO if number < logging.WARNING
                     else WARNING if number < logging.ERROR else ERROR)
            log_text(level, text)
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)


class _Formatter(logging.Formatter):
    """The message; with the logger's name before it unless it is the root logger."""

    def formatMessage(self, record):
        return record.message if record.name == "root" else f"{record.name}: {record.message}"


_handler = _Handler()
_plain = _Formatter()
_basic_config = logging.basicConfig


def _text_stream(raw, errors):
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, newline="\n", line_buffering=True)


def _our_basic_config(**options):
    """`logging.basicConfig`, for which a root logger with only our handler counts as not configured."""
    root = logging.getLogger()
    if root.handlers != [_handler]:
        return _basic_config(**options)
    if any(options.get(k) is not None for k in ("filename", "handlers")) or options.get("stream") not in (None, sys.stderr):
        root.removeHandler(_handler)
        return _basic_config(**options)
    for name in ("force", "stream", "filename", "filemode", "encoding", "errors", "handlers"):
        options.pop(name, None)
    level = options.pop("level", None)
    if options:
        form, date, style = options.pop("format", None), options.pop("datefmt", None), options.pop("style", "%")
        if options:
            raise ValueError(f"Unrecognised argument(s): {', '.join(options)}")
        if form is None and style in logging._STYLES:
            form = logging._STYLES[style][1]
        _handler.setFormatter(logging.Formatter(form, date, style))
    if level is not None:
        root.setLevel(level)


_our_basic_config.__name__ = _our_basic_config.__qualname__ = "basicConfig"
_our_basic_config.__doc__ = _basic_config.__doc__

_out = _err = None


def install():
    """Called once, when the component is built."""
    global _out, _err
    _handler.setFormatter(_plain)
    root = logging.getLogger()
    root.handlers[:] = [_handler]
    root.setLevel(logging.INFO)
    logging.basicConfig = _our_basic_config
    logging.raiseExceptions = True
    _out, _err = _Lines(INFO), _Lines(WARNING)
    sys.stdout = sys.__stdout__ = _text_stream(_out, "backslashreplace")
    sys.stderr = sys.__stderr__ = _text_stream(_err, "backslashreplace")
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")


def for_script(input):
    """Turns stdin and stdout into those of a plain script; returns the collector of its output."""
    collected = _Collected()
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(collected, encoding="utf-8", newline="\n", write_through=True)
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BytesIO(input.encode()), encoding="utf-8")
    return collected


def finish():
    """Logs what was written without a line's end. Never fails."""
    for stream in {id(s): s for s in (sys.__stdout__, sys.__stderr__, sys.stdout, sys.stderr)}.values():
        try:
            stream.flush()
        except BaseException:
            pass
    for lines in (_out, _err):
        try:
            lines.finish()
        except BaseException:
            pass
