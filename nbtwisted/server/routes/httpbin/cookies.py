"""The paths of cookies, and how cookies are written and read: RFC 6265."""

from __future__ import annotations

import re

from nbtwisted.http1.syntax import is_token
from nbtwisted.server.model.behaviour import Behaviour, json_behaviour, refusal
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.httpbin.redirects import redirection
from nbtwisted.server.routes.origin import root_url
from nbtwisted.server.routes.parameters import Refused, own_arguments, read, unreadable
from nbtwisted.server.routes.router import Server, route

__all__ = ["cookies_of", "set_cookie"]

MOST_COOKIES = 1000
"""Cookies of one request. Browsers keep some 180 for a host."""

LARGEST_JAR = 32 * 1024
"""Bytes of all of them: to read as many takes up to 4 ms."""

LONGEST_COOKIE = 4096
"""Bytes of a name and a value: browsers keep no more (RFC 6265, 6.1)."""

# 4.1.1: all of ASCII that can be seen, but quotes, commas, semicolons and backslashes.
_is_plain = re.compile(rb"[!#-+\--:<-\[\]-~]*").fullmatch
_NOT_IN_QUOTES = re.compile(rb'["\\,;\x80-\xff]')
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2}|.)", re.S)

_GONE = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/"


@route("/cookies")
def cookies(server: Server, request: Request) -> Behaviour:
    """Echo the cookies."""
    return json_behaviour({"cookies": cookies_of(request)})


@route("/cookies/set")
def set_cookies(server: Server, request: Request) -> Behaviour:
    """Set the parameters as cookies, and redirect to the echo of them."""
    given = _given(request).items()
    return redirection(
        "/cookies", 302, *(set_cookie(request, name, value) for name, value in given)
    )


@route("/cookies/set/<name>/<value>")
def set_one_cookie(
    server: Server, request: Request, name: str, value: str
) -> Behaviour:
    """Set one cookie, and redirect to the echo of all."""
    return redirection("/cookies", 302, set_cookie(request, name, value))


@route("/cookies/delete")
def delete_cookies(server: Server, request: Request) -> Behaviour:
    """Delete the cookies that the parameters name, and redirect to the echo of all."""
    names = [read("cookie", name, _parse_name) for name in _given(request)]
    gone = (("Set-Cookie", f"{name}=; {_GONE}") for name in names)
    return redirection("/cookies", 302, *gone)


def cookies_of(request: Request) -> dict[str, str]:
    """The cookies of a request; raises `Refused` for too many, or too large ones.

    Of two with the same name the first counts, whose path is longer (5.4).
    """
    lines = request.headers.by_name.get(b"cookie", ())
    count, size = sum(line.count(b";") for line in lines), sum(map(len, lines))
    if count >= MOST_COOKIES or size > LARGEST_JAR:
        expected = f"at most {MOST_COOKIES} cookies, of {LARGEST_JAR} bytes in all"
        raise Refused(refusal(400, "too many cookies", expected=expected))
    found: dict[str, str] = {}
    for pair in (pair for line in lines for pair in line.split(b";")):
        name, _, value = (part.strip(b" \t") for part in pair.partition(b"="))
        if name:
            found.setdefault(_text(name), _text(_unquoted(value)))
    return found


def set_cookie(request: Request, name: str, value: str) -> tuple[str, str]:
    """The header that sets a cookie; raises `Refused` for one that cannot be set."""
    name = read("cookie", name, _parse_name)
    text = f"{name}={read(name, value, _parse_value)}"
    if len(text) > LONGEST_COOKIE:
        expected = f"a name and a value of at most {LONGEST_COOKIE} bytes"
        raise Refused(unreadable(name, value, expected))
    is_secure = root_url(request).startswith("https:")
    return "Set-Cookie", f"{text}; {'Secure; ' if is_secure else ''}Path=/"


def _given(request: Request) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in own_arguments(request):
        if given.setdefault(name, value) != value:
            # RFC 6265, 4.1.1: a response sets a cookie once.
            raise Refused(unreadable(name, f"{given[name]}, {value}", "one value"))
    return given


def _parse_name(text: str) -> str:
    if not is_token(text):
        raise ValueError("a name of letters, digits and !#$%&'*+-.^_`|~")
    return text


def _parse_value(text: str) -> str:
    """A value as it is sent: as it came, or in quotes with octal escapes.

    Python's `http.cookies` and Werkzeug, and so httpbin, write and read it so.
    """
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("a value without CR, LF, NUL or other control characters")
    value = text.encode()
    if _is_plain(value):
        return text
    return f'"{_NOT_IN_QUOTES.sub(_escape, value).decode("ascii")}"'


def _escape(match: re.Match[bytes]) -> bytes:
    character = match[0]
    return b"\\" + character if character in b'"\\' else b"\\%03o" % ord(character)


def _unquoted(value: bytes) -> bytes:
    if len(value) < 2 or not (value.startswith(b'"') and value.endswith(b'"')):
        return value
    return _ESCAPED.sub(_unescape, value[1:-1])


def _unescape(match: re.Match[bytes]) -> bytes:
    escaped = match[1]
    return escaped if len(escaped) == 1 else bytes([int(escaped, 8)])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
