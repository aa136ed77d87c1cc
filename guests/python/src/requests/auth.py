"""Who a request is from."""

import base64


def _basic_auth_str(username, password):
    text = b":".join(one if isinstance(one, bytes) else str(one).encode() for one in (username, password))
    return "Basic " + base64.b64encode(text).decode()


class AuthBase:
    """Is called with a prepared request, and returns it."""

    def __call__(self, request):
        raise NotImplementedError("authentication objects are called with a request")


class HTTPBasicAuth(AuthBase):
    def __init__(self, username, password):
        self.username = username
        self.password = password

    def __eq__(self, other):
        return isinstance(other, HTTPBasicAuth) and (self.username, self.password) == (other.username, other.password)

    def __call__(self, request):
        request.headers["Authorization"] = _basic_auth_str(self.username, self.password)
        return request


class HTTPProxyAuth(HTTPBasicAuth):
    def __call__(self, request):
        raise ValueError("proxies are the host's business: an agent does not log in to one")


class HTTPDigestAuth(AuthBase):
    def __init__(self, username, password):
        raise NotImplementedError("digest authentication is not offered here; use urllib.request.HTTPDigestAuthHandler")
