"""The parts of the `requests` interface that most programs use, over OACP's host. Written for OACP; not the package of
that name. An agent that brings a module `requests` of its own gets its own.
"""

from . import adapters, auth, cookies, exceptions, models, sessions, status_codes, structures
from .exceptions import (ConnectionError, ConnectTimeout, HTTPError, JSONDecodeError, ReadTimeout, RequestException, Timeout,
                         TooManyRedirects, URLRequired)
from .models import PreparedRequest, Request, Response
from .sessions import Session, session
from .status_codes import codes

__version__ = "2.32.0"  # the interface that it follows

__all__ = ["ConnectTimeout", "ConnectionError", "HTTPError", "JSONDecodeError", "PreparedRequest", "ReadTimeout", "Request",
           "RequestException", "Response", "Session", "Timeout", "TooManyRedirects", "URLRequired", "codes", "delete", "get",
           "head", "options", "patch", "post", "put", "request", "session"]


def request(method, url, **options):
    """Sends a request in a session of its own."""
    with Session() as own:
        return own.request(method, url, **options)


def get(url, params=None, **options):
    return request("get", url, params=params, **options)


def options(url, **options):
    return request("options", url, **options)


def head(url, **options):
    options.setdefault("allow_redirects", False)
    return request("head", url, **options)


def post(url, data=None, json=None, **options):
    return request("post", url, data=data, json=json, **options)


def put(url, data=None, **options):
    return request("put", url, data=data, **options)


def patch(url, data=None, **options):
    return request("patch", url, data=data, **options)


def delete(url, **options):
    return request("delete", url, **options)
