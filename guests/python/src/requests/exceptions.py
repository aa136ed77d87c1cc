"""What can go wrong. A denial is not among it: `oacp.CapabilityDenied`, a PermissionError, passes through."""

import json


class RequestException(IOError):
    """Any of the errors here."""

    def __init__(self, *args, **options):
        self.response = options.pop("response", None)
        self.request = options.pop("request", None) or getattr(self.response, "request", None)
        super().__init__(*args, **options)


class InvalidJSONError(RequestException):
    """Something is not JSON."""


class JSONDecodeError(InvalidJSONError, json.JSONDecodeError):
    """A body is not JSON."""

    def __init__(self, message, document, position, **options):
        json.JSONDecodeError.__init__(self, message, document, position)
        InvalidJSONError.__init__(self, *self.args, **options)

    def __reduce__(self):
        return json.JSONDecodeError.__reduce__(self)


class HTTPError(RequestException):
    """A status of 400 or more."""


class ConnectionError(RequestException):
    """No connection, or a broken one."""


class ProxyError(ConnectionError):
    pass


class SSLError(ConnectionError):
    """No TLS connection, for instance because of the certificate."""


class Timeout(RequestException):
    """It took too long."""


class ConnectTimeout(ConnectionError, Timeout):
    pass


class ReadTimeout(Timeout):
    pass


class URLRequired(RequestException):
    pass


class TooManyRedirects(RequestException):
    pass


class MissingSchema(RequestException, ValueError):
    """A URL without http:// or https://."""


class InvalidSchema(RequestException, ValueError):
    pass


class InvalidURL(RequestException, ValueError):
    pass


class InvalidHeader(RequestException, ValueError):
    pass


class ChunkedEncodingError(RequestException):
    pass


class ContentDecodingError(RequestException):
    pass


class StreamConsumedError(RequestException, TypeError):
    pass


class RetryError(RequestException):
    pass


class RequestsWarning(Warning):
    pass
