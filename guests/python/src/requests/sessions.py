"""Sessions: settings and cookies that several requests share."""

import datetime
import http.client
import socket
import ssl
import time
import warnings

from _oacp import exchange
from oacp import CapabilityDenied

from . import adapters, cookies as _cookies
from .exceptions import ConnectionError, InvalidURL, ReadTimeout, SSLError, TooManyRedirects
from .models import PreparedRequest, Request, Response, redirected
from .structures import CaseInsensitiveDict

DEFAULT_REDIRECT_LIMIT = 30


def default_headers():
    return CaseInsensitiveDict({"User-Agent": "oacp-requests/1", "Accept": "*/*"})


class Session:
    """Settings and cookies for several requests."""

    def __init__(self):
        self.headers = default_headers()
        self.auth = None
        self.params = {}
        self.cookies = _cookies.RequestsCookieJar()
        self.hooks = {"response": []}
        self.proxies = {}
        self.verify = True
        self.cert = None
        self.stream = False
        self.trust_env = True
        self.max_redirects = DEFAULT_REDIRECT_LIMIT
        self.adapters = {}
        self.mount("https://", adapters.HTTPAdapter())
        self.mount("http://", adapters.HTTPAdapter())

    def mount(self, prefix, adapter):
        self.adapters[prefix] = adapter

    def get_adapter(self, url):
        for prefix in sorted(self.adapters, key=len, reverse=True):
            if url.lower().startswith(prefix.lower()):
                return self.adapters[prefix]
        raise InvalidURL(f"No connection adapters were found for {url!r}")

    def request(self, method, url, params=None, data=None, headers=None, cookies=None, files=None, auth=None, timeout=None,
                allow_redirects=True, proxies=None, hooks=None, stream=None, verify=None, cert=None, json=None):
        wanted = Request(method, url, headers, files, data, params, auth, cookies, hooks, json)
        return self.send(self.prepare_request(wanted), timeout=timeout, allow_redirects=allow_redirects, verify=verify, cert=cert, proxies=proxies)

    def prepare_request(self, request):
        jar = self.cookies.copy() if isinstance(self.cookies, _cookies.RequestsCookieJar) else _cookies.cookiejar_from_dict(self.cookies)
        jar.update(request.cookies or {})
        prepared = PreparedRequest()
        hooks = {name: _listed(self.hooks.get(name)) + _listed((request.hooks or {}).get(name)) for name in ("response",)}
        prepared.prepare(request.method, request.url, _merged(self.headers, request.headers, CaseInsensitiveDict), request.files,
                         request.data, _merged(self.params, request.params, dict), request.auth or self.auth, jar, hooks, request.json)
        return prepared

    def send(self, request, *, timeout=None, allow_redirects=True, verify=None, cert=None, proxies=None, stream=None):
        """Sends a prepared request, and follows its redirects."""
        _check_tls(self.verify if verify is None else verify, cert or self.cert)
        if proxies or self.proxies:
            warnings.warn("proxies are the host's business: the given ones are not used", RuntimeWarning, stacklevel=4)
        history = []
        while True:
            response = self._exchange(request, timeout)
            for hook in _listed(request.hooks.get("response")):
                response = hook(response) or response
            response.history = list(history)
            following = redirected(request, response)
            if following is None:
                return response
            value = _cookies.header_for(self.cookies, following.url) if isinstance(self.cookies, _cookies.RequestsCookieJar) else None
            if value is not None:
                following.headers["Cookie"] = value
            if not allow_redirects:
                response._next = following
                return response
            history.append(response)
            if len(history) > self.max_redirects:
                raise TooManyRedirects(f"Exceeded {self.max_redirects} redirects.", response=response)
            request = following

    def _exchange(self, request, timeout):
        start = time.monotonic()
        headers = [(name, value) for name, value in request.headers.items() if value is not None]
        body = request.body or b""
        try:
            answer = exchange.exchange(request.method, request.url.partition("#")[0], headers, body.encode() if isinstance(body, str) else body, _seconds(timeout))
        except CapabilityDenied:
            raise
        except TimeoutError as error:
            raise ReadTimeout(f"{request.url}: {error}", request=request) from error
        except ssl.SSLError as error:
            raise SSLError(f"{request.url}: {error}", request=request) from error
        except (OSError, http.client.HTTPException) as error:
            text = error.args[-1] if isinstance(error, socket.gaierror) else error
            raise ConnectionError(f"{request.url}: {text}", request=request) from error
        response = Response()._fill(request, answer, datetime.timedelta(seconds=time.monotonic() - start))
        if isinstance(self.cookies, _cookies.RequestsCookieJar):
            _cookies.extract(self.cookies, request.url, answer.headers)
        return response

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def options(self, url, **options):
        return self.request("OPTIONS", url, **options)

    def head(self, url, **options):
        options.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **options)

    def post(self, url, data=None, json=None, **options):
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url, data=None, **options):
        return self.request("PUT", url, data=data, **options)

    def patch(self, url, data=None, **options):
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url, **options):
        return self.request("DELETE", url, **options)

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def session():
    return Session()


def _listed(hooks):
    return [] if hooks is None else list(hooks) if isinstance(hooks, (list, tuple)) else [hooks]


def _merged(own, given, kind):
    """The session's settings under the request's; None takes one away."""
    if not given or not hasattr(given, "keys") or not hasattr(own, "keys"):
        return given or own
    both = kind(own)
    both.update(given)
    return kind({name: value for name, value in both.items() if value is not None})


def _seconds(timeout):
    """requests' timeout may be a pair, for connecting and for reading; here it is one exchange."""
    if isinstance(timeout, tuple):
        given = [one for one in timeout if one is not None]
        return sum(given) if given and len(given) == len(timeout) else None
    return timeout


def _check_tls(verify, cert):
    context = ssl.create_default_context()
    if not verify:
        context.verify_mode = ssl.CERT_NONE  # says why not
    if verify is not True:
        context.load_verify_locations(verify)
    if cert:
        context.load_cert_chain(cert)
