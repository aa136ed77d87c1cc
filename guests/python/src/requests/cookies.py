"""Cookies that are also a dictionary."""

import email.message
import http.cookiejar
import urllib.request
from collections.abc import MutableMapping


class RequestsCookieJar(http.cookiejar.CookieJar, MutableMapping):
    """A cookie jar whose cookies can be had by their names."""

    def get(self, name, default=None, domain=None, path=None):
        for cookie in http.cookiejar.CookieJar.__iter__(self):
            if cookie.name == name and domain in (None, cookie.domain) and path in (None, cookie.path):
                return cookie.value
        return default

    def set(self, name, value, *, domain="", path="/", secure=False, expires=None, **rest):
        """Keeps a cookie; without a domain it goes wherever the session goes. `None` takes it away."""
        if value is None:
            for cookie in list(http.cookiejar.CookieJar.__iter__(self)):
                if cookie.name == name:
                    self.clear(cookie.domain, cookie.path, cookie.name)
            return None
        cookie = http.cookiejar.Cookie(0, name, value, None, False, domain, bool(domain), domain.startswith("."), path, bool(path),
                                       secure, expires, expires is None, None, None, rest)
        self.set_cookie(cookie)
        return cookie

    def __getitem__(self, name):
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name, value):
        self.set(name, value)

    def __delitem__(self, name):
        if name not in self:
            raise KeyError(name)
        self.set(name, None)

    def __contains__(self, name):
        return self.get(name) is not None

    def keys(self):
        return [cookie.name for cookie in http.cookiejar.CookieJar.__iter__(self)]

    def values(self):
        return [cookie.value for cookie in http.cookiejar.CookieJar.__iter__(self)]

    def items(self):
        return [(cookie.name, cookie.value) for cookie in http.cookiejar.CookieJar.__iter__(self)]

    def get_dict(self, domain=None, path=None):
        return {cookie.name: cookie.value for cookie in http.cookiejar.CookieJar.__iter__(self)
                if domain in (None, cookie.domain) and path in (None, cookie.path)}

    def update(self, other=(), **more):
        if isinstance(other, http.cookiejar.CookieJar):
            for cookie in http.cookiejar.CookieJar.__iter__(other):
                self.set_cookie(cookie)
        else:
            for name, value in dict(other, **more).items():
                self.set(name, value)

    def copy(self):
        made = RequestsCookieJar()
        made.update(self)
        return made

    # A jar is iterated by its cookies, not by their names.
    __iter__ = http.cookiejar.CookieJar.__iter__
    __len__ = http.cookiejar.CookieJar.__len__


def cookiejar_from_dict(cookies, cookiejar=None):
    jar = RequestsCookieJar() if cookiejar is None else cookiejar
    for name, value in dict(cookies or {}).items():
        jar.set(name, value)
    return jar


def header_for(jar, url):
    """The value of the header `cookie` for a request to `url`, or None."""
    asked = urllib.request.Request(url)
    http.cookiejar.CookieJar.add_cookie_header(jar, asked)
    return asked.get_header("Cookie")


class _Headers:
    def __init__(self, pairs):
        self._message = email.message.Message()
        for name, value in pairs:
            self._message[name] = value

    def info(self):
        return self._message


def extract(jar, url, pairs):
    """Puts the cookies of a response into a jar."""
    if any(name.lower() == "set-cookie" for name, _ in pairs):
        jar.extract_cookies(_Headers(pairs), urllib.request.Request(url))
