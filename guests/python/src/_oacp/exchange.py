"""HTTP over the completion port: one request, one response, and the errors that Python programs expect."""

import asyncio
import http.client
import json
import socket
import ssl
import time

from componentize_py_types import Err
from wit_world.imports import http as _http, port as _port

from . import denial


class Answer:
    """A response to its end. `headers` are (name, value) pairs, their characters bytes."""

    __slots__ = ("status", "reason", "headers", "body")

    def __init__(self, status, reason, headers, body):
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body


def exchange(method, url, headers, body, timeout=None):
    """Sends a request and waits for the response. `timeout` is in seconds; TimeoutError when they have passed."""
    call = _http.start(_http.Request(method, url, headers, body))
    deadline = None if timeout is None else time.monotonic_ns() + max(0, int(timeout * 1e9))
    completion = _port.wait([call], deadline)
    if completion is None:
        raise TimeoutError("timed out")
    return _answer(completion)


async def exchange_async(method, url, headers, body, timeout=None):
    """Like `exchange`, but other tasks run in the meantime."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            call = _http.start(_http.Request(method, url, headers, body))
            completion = await loop.completion_of(call)
    except TimeoutError:
        raise TimeoutError("timed out") from None
    return _answer(completion)


def _answer(completion):
    outcome = completion.outcome
    if isinstance(outcome, Err):
        raise _error(outcome.value, completion.call)
    data = getattr(outcome, "value", outcome)
    end = data.index(b"\n")
    head = json.loads(data[:end])
    return Answer(head["status"], head["reason"], [(name, value) for name, value in head["headers"]], data[end + 1:])


def _error(failure, call):
    message = failure.message
    match failure.code:
        case "denied":
            return denial.from_failure(failure, call=call)
        case "timed_out":
            return TimeoutError(message)
        case "resolve":
            return socket.gaierror(socket.EAI_NONAME, message)
        case "connect":
            for word, kind in (("refused", ConnectionRefusedError), ("reset", ConnectionResetError), ("abort", ConnectionAbortedError)):
                if word in message:
                    return kind(message)
            return ConnectionError(message)
        case "tls":
            return (ssl.SSLCertVerificationError if "certificate" in message else ssl.SSLError)(1, message)
    return http.client.HTTPException(message)
