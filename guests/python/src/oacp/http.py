"""HTTP, in a few functions; each has a form that lets other tasks run.

    from oacp import http

    def run(input):
        return http.get("https://example.org/items", params={"page": 1}).json()
"""

from __future__ import annotations

import json as _json
from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPException as _HTTPException
from typing import Any
from urllib.parse import quote as _quote, urlencode as _urlencode, urljoin as _urljoin, urlsplit as _urlsplit

from _oacp import exchange as _exchange, jsontext as _jsontext

__all__ = ["Headers", "Response", "StatusError", "get", "get_async", "post", "post_async", "request", "request_async"]

REDIRECTS_MAX = 10
_DEFAULT_PORTS = {"http": 80, "https": 443}


class StatusError(_HTTPException, OSError):
    """The server answered with a status of 400 or more."""

    response: Response

    def __init__(self, message: str, response: Response):
        super().__init__(message)
        self.response = response


class Headers(Mapping[str, str]):
    """Headers; their names are the same in upper and lower case. Values of one name are joined by `, `."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()):
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def get_all(self, name: str) -> list[str]:
        """Every value of a name, as `set-cookie` needs it."""
        return list(self._values.get(name.lower(), ()))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class Response:
    """What a server answered."""

    status: int
    reason: str
    headers: Headers
    body: bytes
    url: str
    """Where it came from: after redirects, the last one."""

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes, url: str):
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        self.url = url

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    @property
    def text(self) -> str:
        """The body as text, in the charset that its type names, or UTF-8. What is no text becomes U+FFFD."""
        for part in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                try:
                    return self.body.decode(value.strip().strip("\"'"), "replace")
                except LookupError:
                    break
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        return _json.loads(self.body)

    def raise_for_status(self) -> Response:
        """Raises StatusError if the status is 400 or more; otherwise returns the response."""
        if not self.ok:
            raise StatusError(f"{self.url} answered {self.status} {self.reason}".rstrip(), self)
        return self

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.url}>"


def request(method: str, url: str, *, headers: Mapping[str, str] | None = None, params: Any = None, json: Any = None,
            data: Any = None, timeout: float | None = None, redirects: int = REDIRECTS_MAX) -> Response:
    """Sends a request and returns the response, whatever its status.

    `params` are added to the URL. The body is `json`, or `data`: bytes, text, or a mapping (a form). `timeout` is in
    seconds, for each exchange. `redirects` are followed, at most; 0 follows none.

    Raises `oacp.CapabilityDenied` when the grant does not cover the host, TimeoutError, and otherwise OSError or
    `http.client.HTTPException`.
    """
    steps = _steps(method, url, headers, params, json, data, redirects)
    wanted = next(steps)
    while not isinstance(wanted, Response):
        wanted = steps.send(_exchange.exchange(*wanted, timeout))
    return wanted


async def request_async(method: str, url: str, *, headers: Mapping[str, str] | None = None, params: Any = None,
                        json: Any = None, data: Any = None, timeout: float | None = None,
                        redirects: int = REDIRECTS_MAX) -> Response:
    """Like `request`, but other tasks run in the meantime."""
    steps = _steps(method, url, headers, params, json, data, redirects)
    wanted = next(steps)
    while not isinstance(wanted, Response):
        wanted = steps.send(await _exchange.exchange_async(*wanted, timeout))
    return wanted


def get(url: str, **options: Any) -> Response:
    return request("GET", url, **options)


def post(url: str, **options: Any) -> Response:
    return request("POST", url, **options)


async def get_async(url: str, **options: Any) -> Response:
    return await request_async("GET", url, **options)


async def post_async(url: str, **options: Any) -> Response:
    return await request_async("POST", url, **options)


def _steps(method: str, url: str, headers: Any, params: Any, json: Any, data: Any, redirects: int) -> Iterator[Any]:
    """Yields the exchanges that are wanted, is sent their answers, and at last yields the response."""
    method = method.upper()
    url = _with_params(_clean(url), params)
    pairs = [(str(name), str(value)) for name, value in dict(headers or {}).items()]
    body = _body(pairs, json, data)
    for left in range(redirects, -1, -1):
        answer = yield method, url, pairs, body
        response = Response(answer.status, answer.reason, Headers(answer.headers), answer.body, url)
        location = response.headers.get("location")
        if answer.status not in (301, 302, 303, 307, 308) or location is None or redirects == 0:
            yield response
            return
        if left == 0:
            raise _HTTPException(f"{url} redirects once more, after {redirects} redirects")
        following = _clean(_urljoin(url, location.encode("latin-1", "replace").decode("utf-8", "replace")))
        if answer.status == 303 and method not in ("GET", "HEAD") or answer.status in (301, 302) and method == "POST":
            method, body = "GET", b""
            pairs = [one for one in pairs if not one[0].lower().startswith("content-")]
        if _origin(following) != _origin(url):
            pairs = [one for one in pairs if one[0].lower() not in ("authorization", "cookie", "host")]
        url = following


def _clean(url: str) -> str:
    """The URL without its fragment, in ASCII."""
    url = url.strip().partition("#")[0]
    if not url.isascii():
        parts = _urlsplit(url)
        if not parts.netloc.isascii():
            parts = parts._replace(netloc=parts.netloc.encode("idna").decode())
        url = parts.geturl()
    url = _quote(url, safe="!#$%&'()*+,/:;=?@[]~")
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"`{url}` is no URL that starts with http:// or https://")
    return url


def _with_params(url: str, params: Any) -> str:
    if not params:
        return url
    if isinstance(params, Mapping):
        params = [(name, value) for name, value in params.items() if value is not None]
    query = params if isinstance(params, str) else _urlencode(params, doseq=True)
    return url + ("&" if "?" in url else "?") + query if query else url


def _body(pairs: list[tuple[str, str]], json: Any, data: Any) -> bytes:
    """The request's body; its type is added to `pairs` unless it is there."""
    if json is not None and data is not None:
        raise TypeError("give either json or data, not both")
    if json is not None:
        body, kind = _json.dumps(json, ensure_ascii=False, separators=(",", ":")).encode(), "application/json"
    elif data is None:
        return b""
    elif isinstance(data, str):
        body, kind = data.encode(), "text/plain; charset=utf-8"
    elif isinstance(data, (bytes, bytearray, memoryview)):
        body, kind = bytes(data), "application/octet-stream"
    elif isinstance(data, (Mapping, list, tuple)):
        body, kind = _urlencode(data, doseq=True).encode(), "application/x-www-form-urlencoded"
    else:
        raise TypeError(f"data is bytes, text or a mapping, not {_jsontext.a(data)}")
    if all(name.lower() != "content-type" for name, _ in pairs):
        pairs.append(("content-type", kind))
    return body


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = _urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
