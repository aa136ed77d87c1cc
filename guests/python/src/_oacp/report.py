"""What a run that failed reports. Nothing an agent raises may break it."""

import gc
import traceback

from wit_world.imports.ending import Location, RunError

from . import denial, files

MESSAGE_BYTES_MAX = 8 * 1024
TRACE_BYTES_MAX = 64 * 1024
_FRAMES_MAX = 200  # of one exception; the middle ones are left out
_CHAIN_MAX = 20  # of causes and contexts

# An exception's own attributes, past whatever its class makes of attribute access.
_cause = BaseException.__cause__.__get__
_context = BaseException.__context__.__get__
_suppressed = BaseException.__suppress_context__.__get__
_frames = BaseException.__traceback__.__get__
_parts = BaseExceptionGroup.exceptions.__get__

_reserve = None  # memory that is given up when a report is due
_glue = ()


def install(glue):
    """Called once, when the component is built. `glue` are the directories of OACP's own code."""
    global _reserve, _glue
    _reserve = bytearray(2 * 1024 * 1024)
    _glue = tuple(glue)


def failure(message, location=None):
    """A run-error without an exception."""
    return RunError(_cut(_one_line(message), MESSAGE_BYTES_MAX), "", location, None)


def exception(error):
    """The run-error of an exception that ended the run."""
    global _reserve
    _reserve = None
    denied = location = None
    message = trace = ""
    try:
        found = _denied(error)
        if found is not None:
            denied = found.call
        location = _location(error)
        _shorten(error)
        if _is(error, MemoryError):
            traceback.clear_frames(_frames(error))
            gc.collect()
        message = _message(error)
        if found is not None:
            message = _with_denial(message, error, found)
        elif _is(error, KeyError):
            message = _with_notes(message, error)
        trace = _trace(error)
    except BaseException:
        # The exception's own methods failed, or memory did: its type is still known.
        try:
            traceback.clear_frames(_frames(error))
        except BaseException:
            pass
        message = message or type.__dict__["__name__"].__get__(type(error))
    _unlink(_frames(error))
    return RunError(_cut(message, MESSAGE_BYTES_MAX), trace, location, denied)


def _unlink(tb):
    """Takes a traceback apart: freed as a chain, a very long one would overflow the stack."""
    try:
        links = []
        while tb is not None:
            links.append(tb)
            tb = tb.tb_next
        for tb in links:
            tb.tb_next = None
    except BaseException:
        pass


def _is(error, kind):
    return issubclass(type(error), kind)


def _denied(error, depth=0):
    """The denial (CapabilityDenied) that `error` is, was caused by, or holds; None if none."""
    while error is not None and depth < 100:
        if _is(error, PermissionError):
            found = denial.of(error)
            if found is not None:
                call = getattr(found, "call", None)
                return found if type(call) is int and 0 <= call < 1 << 64 else None
        if _is(error, BaseExceptionGroup):
            for one in _parts(error):
                found = _denied(one, depth + 1)
                if found is not None:
                    return found
        following = _cause(error)
        # Raised while a denial was handled, and not `from None`: it ended the run as well.
        error = following if following is not None or _suppressed(error) else _context(error)
        depth += 1
    return None


def _with_denial(message, error, denied):
    """The message of a run that a denial ended, with what would allow it: enough to mend it."""
    try:
        if denied is error:
            return _one_line(message + denial.remedy(denied))
        told = _one_line(denial.explained(denied))
        if _is(error, PermissionError):
            return f"PermissionError: {told}"
        return f"{message} ({told})"
    except Exception:
        return message


def _location(error):
    depth = 0
    while _is(error, BaseExceptionGroup) and depth < 50:
        error = _parts(error)[0]
        depth += 1
    if _is(error, SyntaxError) and error.filename in files.agent.files:
        line = error.lineno
        return Location(error.filename, line if type(line) is int and line > 0 else 1)
    found = None
    tb = _frames(error)
    while tb is not None:
        name = tb.tb_frame.f_code.co_filename
        if name in files.agent.files:
            found = Location(name, max(tb.tb_lineno or 1, 1))
        tb = tb.tb_next
    return found


def _shorten(error):
    """Cuts an endless chain of exceptions."""
    for _ in range(_CHAIN_MAX):
        following = _cause(error)
        if following is None:
            following = _context(error)
        if following is None:
            return
        error = following
    BaseException.__cause__.__set__(error, None)
    BaseException.__context__.__set__(error, None)


def _message(error):
    lines = traceback.TracebackException(type(error), error, None, limit=0, compact=True)
    if _is(error, SyntaxError):
        text = f"{lines.exc_type_str}: {lines.msg}"
        if error.filename:
            text += f" ({lines.filename}, line {lines.lineno})"
    else:
        name = lines.exc_type_str
        if name.startswith("__main__."):
            name = name[len("__main__."):]
        said = str(lines)
        if _is(error, KeyError) and len(error.args) == 1 and not said:
            said = "''"
        text = f"{name}: {said}" if said else name
    text = _one_line(text)
    if _is(error, BaseExceptionGroup):
        inner = _parts(error)
        if inner and len(text) < MESSAGE_BYTES_MAX:
            text += f": {_message(inner[0])}"
    return text


def _with_notes(message, error):
    """A variable that was denied is missing like any other; its note says what would give it."""
    notes = getattr(error, "__notes__", None)
    if type(notes) is list and notes and type(notes[0]) is str:
        return f"{message} ({_one_line(notes[0])})"
    return message


def _trace(error):
    files.remember_sources()
    report = traceback.TracebackException(type(error), error, None)
    _fill(report, error, set())
    return _cut_middle("".join(report.format(colorize=False)).rstrip("\n"), TRACE_BYTES_MAX)


def _fill(report, error, seen):
    """Gives `report`, and the reports within it, the frames of their exceptions, without the glue."""
    if report is None or error is None or id(error) in seen:
        return
    seen.add(id(error))
    report.stack = _stack(_frames(error))
    _fill(report.__cause__, _cause(error), seen)
    _fill(report.__context__, _context(error), seen)
    if report.exceptions:
        for inner_report, inner in zip(report.exceptions, _parts(error)):
            _fill(inner_report, inner, seen)


def _stack(tb):
    frames = list(traceback._walk_tb_with_full_positions(tb))  # positions: for the marks under a line
    own = files.agent.files
    first = next((i for i, (frame, _) in enumerate(frames) if frame.f_code.co_filename in own), len(frames))
    frames = [one for one in frames[first:] if not _is_glue(one[0])]
    left_out = len(frames) - _FRAMES_MAX
    if left_out <= 0:
        return _Stack._extract_from_extended_frame_gen(iter(frames))
    half = _FRAMES_MAX // 2
    stack = _Stack._extract_from_extended_frame_gen(iter(frames[:half]))
    stack.left_out = left_out
    stack.after = _Stack._extract_from_extended_frame_gen(iter(frames[-half:]))
    return stack


class _Stack(traceback.StackSummary):
    """Frames, with the middle ones of very many left out."""

    left_out = 0
    after = ()

    def format(self, **options):
        lines = super().format(**options)
        if self.left_out:
            lines.append(f"  … {self.left_out} frames left out …\n")
            lines.extend(self.after.format(**options))
        return lines


def _is_glue(frame):
    name = frame.f_code.co_filename
    return name.startswith(_glue) or name.startswith("<frozen importlib")


def _one_line(text):
    return " ".join(text.split("\n")).replace("\r", " ").strip()


def _encode(text):
    return text.encode("utf-8", "backslashreplace")


def _cut(text, bytes_max):
    data = _encode(text)
    if len(data) > bytes_max:
        data = data[:bytes_max - 3]
        return data.decode("utf-8", "ignore") + "…"
    return data.decode()


def _cut_middle(text, bytes_max):
    data = _encode(text)
    if len(data) <= bytes_max:
        return data.decode()
    half = bytes_max // 2 - 64
    head, tail = data[:half], data[-half:]
    head = head[:head.rfind(b"\n") + 1] or head
    tail = tail[tail.find(b"\n") + 1:] or tail
    left_out = len(data) - len(head) - len(tail)
    return f"{head.decode('utf-8', 'ignore')}  … {left_out} bytes left out …\n{tail.decode('utf-8', 'ignore')}"
