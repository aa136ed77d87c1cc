"""`requests.codes.ok` and its kin: the names of the standard library, and a few common ones."""

import http

_SHORT = {"okay": 200, "all_good": 200, "moved": 301, "bad": 400, "server_error": 500, "teapot": 418}


class _Codes(dict):
    def __getattr__(self, name):
        try:
            return self[name.lower()]
        except KeyError:
            raise AttributeError(f"there is no status code of the name {name!r}") from None


codes = _Codes({status.name.lower(): status.value for status in http.HTTPStatus} | _SHORT)
