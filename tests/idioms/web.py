"""What programs do over HTTP, one idiom a function. An agent: `run({"base": URL})` gives idiom → result.

The same file runs under any Python 3.8 or later and in the sandbox; both must say the same. The server behind URL answers

- `/json`: 200, `content-type: application/json`, `{"a": 1, "ü": [true, null]}`
- `/echo`: 200, a JSON object: `method`, `path` (with the query), `headers` (names in lower case), `body` (text)
- `/status/404`: 404 with the body `nothing here`
- `/redirect`: 302 to `/json`
- `/gzip`: the bytes of `/json`, `content-encoding: gzip`
- `/slow`: 200 after more than a second
- `/headers`: 200 with `x-one: 1` and two of `set-cookie`: `a=1; Path=/` and `b=2; Path=/`
"""

import gzip
import http.client
import http.cookiejar
import io
import json
import shutil
import socket
import urllib.error
import urllib.parse
import urllib.request

try:
    import requests
except ImportError:
    requests = None

IDIOMS = {}


def idiom(function):
    IDIOMS[function.__name__] = function
    return function


def connection(base, **options):
    parts = urllib.parse.urlsplit(base)
    return http.client.HTTPConnection(parts.hostname, parts.port, **options)


def unpacked(data):
    """The sandbox's host unpacks; elsewhere the program does."""
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


@idiom
def urlopen_json(base):
    with urllib.request.urlopen(base + "/json") as response:
        return [response.status, response.getcode(), response.headers.get_content_type(), json.load(response), response.reason]


@idiom
def urlopen_where_from(base):
    with urllib.request.urlopen(base + "/json") as response:
        return [response.geturl() == base + "/json", response.url == base + "/json", type(response).__name__]


@idiom
def urlopen_with_query(base):
    query = urllib.parse.urlencode({"q": "a b&c", "ü": "é"})
    with urllib.request.urlopen(f"{base}/echo?{query}") as response:
        return json.load(response)["path"]


@idiom
def urlopen_posts_a_form(base):
    data = urllib.parse.urlencode({"a": "1", "b": "x y"}).encode()
    with urllib.request.urlopen(base + "/echo", data=data) as response:
        said = json.load(response)
        return [said["method"], said["body"], said["headers"]["content-type"]]


@idiom
def urlopen_puts_json(base):
    request = urllib.request.Request(base + "/echo", data=json.dumps({"a": "ü"}).encode(), method="PUT",
                                     headers={"Content-Type": "application/json", "X-Mine": "yes"})
    with urllib.request.urlopen(request, timeout=10) as response:
        said = json.load(response)
        return [said["method"], said["body"], said["headers"]["content-type"], said["headers"]["x-mine"]]


@idiom
def urlopen_deletes(base):
    with urllib.request.urlopen(urllib.request.Request(base + "/echo", method="DELETE")) as response:
        return json.load(response)["method"]


@idiom
def urlopen_head(base):
    with urllib.request.urlopen(urllib.request.Request(base + "/json", method="HEAD")) as response:
        return [response.status, response.read().decode()]


@idiom
def urlopen_status_404(base):
    try:
        urllib.request.urlopen(base + "/status/404")
    except urllib.error.HTTPError as error:
        return [error.code, error.reason, error.read().decode(), isinstance(error, urllib.error.URLError)]


@idiom
def urlopen_follows_a_redirect(base):
    with urllib.request.urlopen(base + "/redirect") as response:
        return [response.geturl() == base + "/json", json.load(response)["a"]]


@idiom
def opener_follows_no_redirect(base):
    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    try:
        urllib.request.build_opener(NoRedirect).open(base + "/redirect")
    except urllib.error.HTTPError as error:
        return [error.code, error.headers["Location"].rpartition("/")[2]]


@idiom
def opener_with_cookies(base):
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    opener.open(base + "/headers").close()
    with opener.open(base + "/echo") as response:
        return [sorted((cookie.name, cookie.value) for cookie in jar), json.load(response)["headers"]["cookie"]]


@idiom
def opener_with_headers(base):
    opener = urllib.request.build_opener()
    opener.addheaders = [("User-Agent", "mine/1")]
    with opener.open(base + "/echo") as response:
        return json.load(response)["headers"]["user-agent"]


@idiom
def basic_authentication(base):
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(None, base, "user", "secret", is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    with opener.open(base + "/echo") as response:
        return json.load(response)["headers"]["authorization"]


@idiom
def headers_of_a_response(base):
    with urllib.request.urlopen(base + "/headers") as response:
        return [response.headers["X-One"], response.headers["x-one"], response.getheader("X-One"), response.headers.get("X-Two", "none"),
                response.info().get_all("Set-Cookie"), "x-one" in response.headers]


@idiom
def compressed(base):
    request = urllib.request.Request(base + "/gzip", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as response:
        return json.loads(unpacked(response.read()))


@idiom
def timeout(base):
    try:
        urllib.request.urlopen(base + "/slow", timeout=0.2).read()
    except (socket.timeout, TimeoutError) as error:
        return [isinstance(error, OSError), socket.timeout.__name__ in ("timeout", "TimeoutError")]


@idiom
def default_timeout(base):
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(0.2)
    try:
        urllib.request.urlopen(base + "/slow").read()
    except OSError as error:
        return isinstance(error, socket.timeout)
    finally:
        socket.setdefaulttimeout(before)


@idiom
def read_by_lines_and_parts(base):
    with urllib.request.urlopen(base + "/json") as response:
        first = response.read(4).decode()
        buffer = bytearray(3)
        response.readinto(buffer)
        return [first, buffer.decode(), io.TextIOWrapper(response, encoding="utf-8").read()]


@idiom
def copied_into_a_file(base):
    kept = io.BytesIO()
    with urllib.request.urlopen(base + "/json") as response:
        shutil.copyfileobj(response, kept)
    return json.loads(kept.getvalue())


@idiom
def connection_reused(base):
    opened = connection(base, timeout=10)
    said = []
    for path in ("/json", "/echo", "/status/404"):
        opened.request("GET", path)
        response = opened.getresponse()
        said.append([response.status, len(response.read()) > 0, response.version])
    opened.close()
    return said


@idiom
def connection_posts_with_headers(base):
    opened = connection(base)
    opened.request("POST", "/echo", body="text=ü".encode(), headers={"X-Mine": "1", "Content-Type": "text/plain"})
    response = opened.getresponse()
    said = json.loads(response.read())
    opened.close()
    return [said["method"], said["body"], said["headers"]["x-mine"], said["headers"]["content-type"], said["headers"]["content-length"]]


@idiom
def connection_by_steps(base):
    opened = connection(base)
    opened.putrequest("PUT", "/echo?a=1")
    opened.putheader("X-Mine", "1", "2")
    opened.putheader("Content-Length", "6")
    opened.endheaders()
    opened.send(b"abc")
    opened.send(b"def")
    with opened.getresponse() as response:
        said = json.load(response)
    opened.close()
    return [said["method"], said["path"], said["body"]]


@idiom
def connection_reads_lines(base):
    opened = connection(base)
    opened.request("GET", "/json")
    response = opened.getresponse()
    lines = list(response)
    opened.close()
    return [b"".join(lines).decode(), response.getheader("Content-Type"), response.isclosed(), response.reason]


@idiom
def connection_sends_a_file(base):
    opened = connection(base)
    opened.request("POST", "/echo", body=io.BytesIO(b"from a file"), headers={"Content-Length": "11"})
    said = json.loads(opened.getresponse().read())
    opened.close()
    return said["body"]


@idiom
def response_not_ready(base):
    opened = connection(base)
    try:
        opened.getresponse()
    except http.client.ResponseNotReady as error:
        return type(error).__name__


@idiom
def unknown_scheme(base):
    try:
        urllib.request.urlopen("gopher://example.org")
    except urllib.error.URLError as error:
        return str(error.reason)


def over_requests(function):
    if requests is not None:
        idiom(function)
    return function


@over_requests
def requests_json(base):
    response = requests.get(base + "/json", params={"q": "a b"}, timeout=10)
    return [response.status_code, response.ok, response.json(), response.headers["content-type"], response.encoding, response.reason, response.url == base + "/json?q=a+b"]


@over_requests
def requests_posts_json(base):
    said = requests.post(base + "/echo", json={"a": 1}, headers={"X-Mine": "1"}).json()
    return [said["method"], json.loads(said["body"]), said["headers"]["content-type"], said["headers"]["x-mine"]]


@over_requests
def requests_posts_a_form(base):
    said = requests.post(base + "/echo", data={"a": "x y", "b": ["1", "2"]}, auth=("user", "secret")).json()
    return [said["body"], said["headers"]["content-type"], said["headers"]["authorization"]]


@over_requests
def requests_uploads(base):
    said = requests.post(base + "/echo", data={"k": "v"}, files={"f": ("a.txt", b"content", "text/plain")}).json()
    return [said["headers"]["content-type"].partition(";")[0], 'name="f"; filename="a.txt"' in said["body"], "content" in said["body"]]


@over_requests
def requests_status(base):
    response = requests.get(base + "/status/404")
    try:
        response.raise_for_status()
    except requests.exceptions.HTTPError as error:
        return [bool(response), response.text, error.response.status_code, str(error).partition(" for ")[0], requests.codes.not_found]


@over_requests
def requests_redirect(base):
    response = requests.get(base + "/redirect")
    stayed = requests.get(base + "/redirect", allow_redirects=False)
    return [response.url == base + "/json", [one.status_code for one in response.history], stayed.status_code, stayed.is_redirect]


@over_requests
def requests_session(base):
    with requests.Session() as session:
        session.headers.update({"X-Session": "1"})
        session.get(base + "/headers")
        said = session.get(base + "/echo").json()
        return [sorted(session.cookies.get_dict().items()), said["headers"]["cookie"], said["headers"]["x-session"]]


@over_requests
def requests_compressed(base):
    return requests.get(base + "/gzip").json()


@over_requests
def requests_timeout(base):
    try:
        requests.get(base + "/slow", timeout=0.2)
    except requests.exceptions.Timeout as error:
        return isinstance(error, requests.exceptions.RequestException)


@over_requests
def requests_streams(base):
    with requests.get(base + "/json", stream=True) as response:
        return [b"".join(response.iter_content(chunk_size=5)).decode(), len(list(requests.get(base + "/json").iter_lines()))]


@over_requests
def requests_errors(base):
    said = []
    for url in ("no-scheme", "ftp://example.org", "http://"):
        try:
            requests.get(url)
        except requests.exceptions.RequestException as error:
            said.append(type(error).__name__)
    try:
        requests.get(base + "/status/404").json()
    except requests.exceptions.JSONDecodeError as error:
        said.append(isinstance(error, ValueError))
    return said


def run(input):
    results = {}
    for name, function in IDIOMS.items():
        try:
            results[name] = function(input["base"])
        except Exception as error:
            results[name] = f"FAILED: {type(error).__name__}: {error}".replace(input["base"], "BASE")
    return results


if __name__ == "__main__":
    import sys

    json.dump(run(json.load(sys.stdin)), sys.stdout, ensure_ascii=False, indent=1)
