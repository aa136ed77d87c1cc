"""Requests and responses."""

import datetime
import io
import json as _json
import secrets
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

from . import cookies as _cookies
from .auth import HTTPBasicAuth
from .exceptions import HTTPError, InvalidHeader, InvalidJSONError, InvalidSchema, InvalidURL, JSONDecodeError, MissingSchema
from .structures import CaseInsensitiveDict

REDIRECTS = (301, 302, 303, 307, 308)


class Request:
    """A request as a program writes it."""

    def __init__(self, method=None, url=None, headers=None, files=None, data=None, params=None, auth=None, cookies=None, hooks=None, json=None):
        self.method = method
        self.url = url
        self.headers = headers or {}
        self.files = files
        self.data = data
        self.params = params
        self.auth = auth
        self.cookies = cookies
        self.hooks = hooks or {}
        self.json = json

    def prepare(self):
        prepared = PreparedRequest()
        prepared.prepare(self.method, self.url, self.headers, self.files, self.data, self.params, self.auth, self.cookies, self.hooks, self.json)
        return prepared

    def __repr__(self):
        return f"<Request [{self.method}]>"


class PreparedRequest:
    """A request as it is sent."""

    def __init__(self):
        self.method = self.url = self.headers = self.body = None
        self.hooks = {}

    def prepare(self, method=None, url=None, headers=None, files=None, data=None, params=None, auth=None, cookies=None, hooks=None, json=None):
        self.method = (method or "GET").upper()
        self.hooks = hooks or {}
        self.prepare_url(url, params)
        self.prepare_headers(headers)
        if cookies:
            jar = cookies if isinstance(cookies, _cookies.RequestsCookieJar) else _cookies.cookiejar_from_dict(cookies)
            value = _cookies.header_for(jar, self.url)
            if value is not None and "Cookie" not in self.headers:
                self.headers["Cookie"] = value
        self.prepare_body(data, files, json)
        self.prepare_auth(auth)

    def prepare_url(self, url, params):
        self._user = None
        url = (url.decode() if isinstance(url, bytes) else str(url)).lstrip()
        if "://" not in url:
            raise MissingSchema(f"Invalid URL {url!r}: No scheme supplied. Perhaps you meant https://{url}?")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise InvalidURL(f"Invalid URL {url!r}: {error}") from None
        if parts.scheme.lower() not in ("http", "https"):
            raise InvalidSchema(f"No connection adapters were found for {url!r}")
        if not host:
            raise InvalidURL(f"Invalid URL {url!r}: No host supplied")
        if parts.username is not None:
            self._user = unquote(parts.username), unquote(parts.password or "")
        if not host.isascii():
            try:
                host = host.encode("idna").decode()
            except UnicodeError:
                raise InvalidURL(f"Invalid URL {url!r}: the host is no valid name") from None
        netloc = f"[{host}]" if ":" in host else host
        if port is not None:
            netloc += f":{port}"
        query = parts.query
        added = _encoded(params)
        if added:
            query = f"{query}&{added}" if query else added
        self.url = _quoted(urlunsplit((parts.scheme.lower(), netloc, parts.path or "/", query, parts.fragment)))

    def prepare_headers(self, headers):
        self.headers = CaseInsensitiveDict()
        for name, value in dict(headers or {}).items():
            name, value = (one.decode("latin-1") if isinstance(one, bytes) else one for one in (name, value))
            if not isinstance(name, str) or not isinstance(value, str):
                raise InvalidHeader(f"Header part ({value!r}) from ({name!r}, {value!r}) must be of type str or bytes, not {type(value)}")
            if "\n" in value or "\r" in value:
                raise InvalidHeader(f"Invalid leading whitespace, reserved character(s), or return character(s) in header value: {value!r}")
            self.headers[name] = value

    def prepare_body(self, data, files, json=None):
        body = kind = None
        if files:
            body, kind = _multipart(data, files)
        elif data:
            if isinstance(data, (bytes, bytearray)):
                body = bytes(data)
            elif isinstance(data, str):
                body, kind = data.encode(), "application/x-www-form-urlencoded"
            elif hasattr(data, "read"):
                body = data.read()
                body = body.encode() if isinstance(body, str) else body
            elif isinstance(data, (Mapping, list, tuple)):
                body, kind = _encoded(data).encode(), "application/x-www-form-urlencoded"
            else:
                body = b"".join(one.encode() if isinstance(one, str) else one for one in data)
        elif json is not None:
            try:
                body, kind = _json.dumps(json, allow_nan=False).encode(), "application/json"
            except ValueError as error:
                raise InvalidJSONError(error, request=self) from None
        self.body = body
        if kind and "Content-Type" not in self.headers:
            self.headers["Content-Type"] = kind
        if body is not None or self.method not in ("GET", "HEAD"):
            self.headers["Content-Length"] = str(len(body or b""))

    def prepare_auth(self, auth, url=""):
        if auth is None:
            auth = self._user
        if auth is None:
            return
        if isinstance(auth, (tuple, list)) and len(auth) == 2:
            auth = HTTPBasicAuth(*auth)
        changed = auth(self)
        self.__dict__.update(changed.__dict__)

    def copy(self):
        made = PreparedRequest()
        made.__dict__.update(self.__dict__)
        made.headers = self.headers.copy()
        return made

    @property
    def path_url(self):
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def __repr__(self):
        return f"<PreparedRequest [{self.method}]>"


class Response:
    """What a server answered. It is there to its end, whether `stream` was asked for or not."""

    def __init__(self):
        self.status_code = self.reason = self.url = self.request = self.raw = None
        self.headers = CaseInsensitiveDict()
        self.encoding = None
        self.history = []
        self.cookies = _cookies.RequestsCookieJar()
        self.elapsed = datetime.timedelta(0)
        self._content = b""
        self._next = None

    def _fill(self, request, answer, elapsed):
        self.request, self.url = request, request.url
        self.status_code, self.reason = answer.status, answer.reason
        for name, value in answer.headers:
            shown = "-".join(part.capitalize() for part in name.split("-"))
            self.headers[shown] = f"{self.headers[shown]}, {value}" if shown in self.headers else value
        self._content, self.raw = answer.body, io.BytesIO(answer.body)
        self.encoding = _charset(self.headers)
        self.elapsed = elapsed
        _cookies.extract(self.cookies, request.url, answer.headers)
        return self

    @property
    def content(self):
        return self._content

    @property
    def apparent_encoding(self):
        try:
            self._content.decode()
        except UnicodeDecodeError:
            return "ISO-8859-1"
        return "ascii" if self._content.isascii() else "utf-8"

    @property
    def text(self):
        try:
            return self._content.decode(self.encoding or self.apparent_encoding, "replace")
        except LookupError:
            return self._content.decode("utf-8", "replace")

    def json(self, **options):
        try:
            # JSON is UTF-8, -16 or -32, whatever the headers say.
            return _json.loads(self._content, **options)
        except UnicodeDecodeError:
            text = self.text
        except _json.JSONDecodeError as error:
            raise JSONDecodeError(error.msg, error.doc, error.pos, response=self) from None
        try:
            return _json.loads(text, **options)
        except _json.JSONDecodeError as error:
            raise JSONDecodeError(error.msg, error.doc, error.pos, response=self) from None

    @property
    def ok(self):
        return self.status_code < 400

    def __bool__(self):
        return self.ok

    @property
    def is_redirect(self):
        return "location" in self.headers and self.status_code in REDIRECTS

    @property
    def is_permanent_redirect(self):
        return "location" in self.headers and self.status_code in (301, 308)

    @property
    def next(self):
        """The request that a redirect asks for."""
        return self._next

    def raise_for_status(self):
        if self.ok:
            return
        side = "Client" if self.status_code < 500 else "Server"
        raise HTTPError(f"{self.status_code} {side} Error: {self.reason} for url: {self.url}", response=self)

    def iter_content(self, chunk_size=1, decode_unicode=False):
        content = self.text if decode_unicode and self.encoding else self._content
        size = chunk_size or max(1, len(content))
        for start in range(0, len(content), size):
            yield content[start:start + size]

    def iter_lines(self, chunk_size=512, decode_unicode=False, delimiter=None):
        content = self.text if decode_unicode and self.encoding else self._content
        lines = content.split(delimiter) if delimiter else content.splitlines()
        yield from lines[:-1] if delimiter and lines and not lines[-1] else lines

    def __iter__(self):
        return self.iter_content(128)

    @property
    def links(self):
        """The header `link`, by its `rel`."""
        found = {}
        for one in self.headers.get("link", "").split(", <"):
            url, _, rest = one.partition(">")
            if not rest and not url:
                continue
            link = {"url": url.strip("<> '\"")}
            for parameter in rest.split(";"):
                name, is_one, value = parameter.partition("=")
                if is_one:
                    link[name.strip(" '\"")] = value.strip(" '\"")
            found[link.get("rel") or link["url"]] = link
        return found

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return f"<Response [{self.status_code}]>"


def _quoted(url):
    return quote(url, safe="!#$%&'()*+,/:;=?@[]~")


def _encoded(data):
    if not data:
        return ""
    if isinstance(data, (str, bytes)):
        return data.decode() if isinstance(data, bytes) else data
    pairs = []
    for name, values in data.items() if isinstance(data, Mapping) else data:
        if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
            values = [values]
        pairs += [(name, value) for value in values if value is not None]
    return urlencode(pairs)


def _multipart(data, files):
    """A form with files (RFC 7578): (body, content type)."""
    boundary = secrets.token_hex(16)
    parts = []

    def add(name, filename, content, kind=None, headers=None):
        name, filename = (None if one is None else str(one).replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A") for one in (name, filename))
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        head += f'; filename="{filename}"' if filename is not None else ""
        head += f"\r\nContent-Type: {kind}" if kind else ""
        head += "".join(f"\r\n{key}: {value}" for key, value in dict(headers or {}).items())
        content = content.read() if hasattr(content, "read") else content
        content = content if isinstance(content, (bytes, bytearray)) else str(content).encode()
        parts.extend((head.encode(), b"\r\n\r\n", content, b"\r\n"))

    for name, values in (data.items() if isinstance(data, Mapping) else data) if data else ():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            if value is not None:
                add(name, None, value)
    for name, value in files.items() if isinstance(files, Mapping) else files:
        if isinstance(value, (tuple, list)):
            add(name, *value)
        else:
            path = getattr(value, "name", None)
            add(name, path.rpartition("/")[2] if isinstance(path, str) else name, value)
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _charset(headers):
    kind, *parameters = headers.get("content-type", "").split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")
    kind = kind.strip().lower()
    if kind.startswith("text/"):
        return "ISO-8859-1"
    return "utf-8" if kind == "application/json" else None


def redirected(request, response):
    """The request that a redirect asks for, or None."""
    if not response.is_redirect:
        return None
    location = response.headers["location"].encode("latin-1", "replace").decode("utf-8", "replace")
    fragment = urlsplit(request.url).fragment
    made = request.copy()
    url = urljoin(request.url, location)
    if fragment and not urlsplit(url).fragment:
        url += f"#{fragment}"
    made.prepare_url(url, None)
    if response.status_code == 303 and made.method != "HEAD" or response.status_code == 302 and made.method != "HEAD" \
            or response.status_code == 301 and made.method == "POST":
        made.method = "GET"
    if response.status_code not in (307, 308):
        made.body = None
        for name in ("Content-Length", "Content-Type", "Transfer-Encoding"):
            made.headers.pop(name, None)
    made.headers.pop("Cookie", None)
    if _origin(made.url) != _origin(request.url):
        made.headers.pop("Authorization", None)
        made.headers.pop("Host", None)
    return made


def _origin(url):
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
