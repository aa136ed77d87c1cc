"""The layer under `http.client`: what it takes for a socket collects a request, has the host send it, and gives back the
response as HTTP/1.1 text. So `http.client`, `urllib.request` and what is built on them stay as they are.
"""

import functools
import http.client
import io
import socket
import ssl
import sys
import urllib.error
import urllib.request

from . import exchange

# The host has taken the framing off; Python would do so again.
_FRAMING = frozenset(("connection", "keep-alive", "transfer-encoding"))


class HostSocket:
    """One connection, as `http.client` sees it."""

    def __init__(self, scheme, host, port, timeout):
        self._origin = f"{scheme}://{_authority(scheme, host, port)}"
        self._timeout = timeout
        self._parts = []
        self._closed = False

    def sendall(self, data, flags=0):
        if self._closed:
            raise OSError("the connection is closed")
        self._parts.append(bytes(data))

    def send(self, data, flags=0):
        self.sendall(data)
        return memoryview(data).nbytes

    def makefile(self, mode="r", buffering=None, **_):
        """The response to what was sent: the request goes out when it is first read."""
        return io.BufferedReader(_Reply(self))

    def exchange(self):
        """Sends what was collected; returns the response as text."""
        method, url, headers, body = self._request()
        return _text(method, exchange.exchange(method, url, headers, body, self._timeout))

    def _request(self):
        """What was sent, taken apart."""
        data, self._parts = b"".join(self._parts), []
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, *_ = first.split(" ")
        headers = []
        for line in lines:
            if line[:1] in (" ", "\t") and headers:
                name, value = headers[-1]
                headers[-1] = (name, f"{value} {line.strip()}")
                continue
            name, _, value = line.partition(":")
            if name.lower() == "transfer-encoding":
                if value.strip().lower() != "chunked":
                    raise http.client.HTTPException(f"transfer encoding `{value.strip()}` is not known; use `chunked` or none")
                body = _without_chunks(body)
                continue
            headers.append((name, value.strip()))
        # With a proxy the target is a whole URL. Proxies are the host's business: the request goes to the URL.
        if not target.startswith(("http://", "https://")):
            target = self._origin + (target if target.startswith("/") else "/")
        return method, target, headers, body

    def settimeout(self, timeout):
        self._timeout = timeout

    def gettimeout(self):
        return self._timeout

    def setsockopt(self, *_):
        pass

    def shutdown(self, how):
        pass

    def close(self):
        self._closed = True
        self._parts = []

    def fileno(self):
        raise OSError("the host keeps the connection: there is no socket here")

    getpeername = getsockname = recv = recv_into = fileno


class _Reply(io.RawIOBase):
    """A response that is fetched when it is first read: until then `http.client` is not ready for an error."""

    def __init__(self, connection):
        self._connection = connection
        self._stream = None

    def readable(self):
        return True

    def readinto(self, buffer):
        if self._stream is None:
            self._stream = io.BytesIO(self._connection.exchange())
        return self._stream.readinto(buffer)


def _authority(scheme, host, port):
    if not host.isascii():
        host = host.encode("idna").decode()
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    default = http.client.HTTPS_PORT if scheme == "https" else http.client.HTTP_PORT
    return host if port in (None, default) else f"{host}:{port}"


def _without_chunks(data):
    body, at = [], 0
    while True:
        end = data.find(b"\r\n", at)
        try:
            size = int(data[at:end].partition(b";")[0], 16) if end >= 0 else 0
        except ValueError:
            raise http.client.HTTPException("a chunk of the request has no valid size") from None
        if size <= 0:
            return b"".join(body)
        body.append(data[end + 2:end + 2 + size])
        at = end + 2 + size + 2


def _text(method, answer):
    """A response as it would have come over a socket."""
    lines = [f"HTTP/1.1 {answer.status} {' '.join(answer.reason.splitlines())}"]
    keeps_length = method == "HEAD" or answer.status == 304
    for name, value in answer.headers:
        if name in _FRAMING or name == "content-length" and not keeps_length:
            continue
        lines.append(f"{name}: {value}")
    if not keeps_length:
        lines.append(f"content-length: {len(answer.body)}")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + answer.body


def connect(self):
    """Connects to the host and port given at initialization."""
    sys.audit("http.client.connect", self, self.host, self.port)
    timeout = socket.getdefaulttimeout() if self.timeout is socket._GLOBAL_DEFAULT_TIMEOUT else self.timeout
    host, port = self.host, self.port
    if self._tunnel_host:  # through a proxy, which the host sees to itself
        host, port = self._tunnel_host, self._tunnel_port
    scheme = "https" if isinstance(self, http.client.HTTPSConnection) else "http"
    self.sock = HostSocket(scheme, host, port, timeout)


def install():
    """Called once, when the component is built."""
    connect.__module__ = "http.client"
    http.client.HTTPConnection.connect = http.client.HTTPSConnection.connect = connect

    standard = urllib.request.AbstractHTTPHandler.do_open

    # With sockets these come while the request is sent; here they come when the response is asked for, too late
    # for urllib's own handler.
    @functools.wraps(standard)
    def do_open(self, http_class, req, **options):
        try:
            return standard(self, http_class, req, **options)
        except (socket.gaierror, ssl.SSLError, ConnectionError) as error:
            raise urllib.error.URLError(error)

    urllib.request.AbstractHTTPHandler.do_open = do_open
