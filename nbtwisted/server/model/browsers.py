"""The headers of every response that are for browsers. Pure.

To a browser, all paths of this server are one origin. A stranger's page can lead a
browser of this machine to a response whose content and headers the stranger chose: as a
document of our origin, its script could read `/__admin`. So every response but those
for operators goes into a sandbox, which runs no scripts and has no origin. Pages of any
origin may read it, as they may read httpbin's.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from nbtwisted.http1.syntax import is_token
from nbtwisted.server.model.headers import HeaderLines, RequestHeaders

__all__ = [
    "FOR_OPERATORS",
    "headers_for",
    "is_for_operators",
    "is_preflight",
    "with_headers",
]

_NO_SNIFFING = ("X-Content-Type-Options", "nosniff")

# The live page's icon is in the page: browsers would otherwise ask for one.
FOR_OPERATORS: HeaderLines = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    _NO_SNIFFING,
)
"""Headers of responses for operators: no other origin may read these."""

SANDBOX: HeaderLines = (("Content-Security-Policy", "sandbox"), _NO_SNIFFING)
"""Headers that put a response into the sandbox."""

_WITH_CREDENTIALS = ("Access-Control-Allow-Credentials", "true")

FOR_ANYBODY: HeaderLines = (
    *SANDBOX,
    ("Access-Control-Allow-Origin", "*"),
    _WITH_CREDENTIALS,
)
"""Headers of other responses, to requests that name no origin."""

_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
"""Methods that pages of other origins may use, in httpbin's order."""

_SECONDS_ALLOWED = "3600"
"""Seconds for which a browser remembers a preflight; httpbin's."""

_BESIDES_OTHERS = frozenset(("Content-Security-Policy", "Vary", _NO_SNIFFING[0]))
"""Headers that do not give way to those of a response: a second policy forbids more."""

# Werkzeug takes many slashes at the beginning for one.
_FOR_OPERATORS = re.compile(
    rb"/+(healthz|readyz|metrics|ca\.pem|__admin(/.*)?)", re.S
).fullmatch
_BEGINS_FOR_OPERATORS = frozenset((b"/", b"h", b"r", b"m", b"c", b"_", b"%"))


def is_for_operators(path: bytes) -> bool:
    """Whether a path, quoted or not, is for operators."""
    if path[1:2] not in _BEGINS_FOR_OPERATORS:
        return False
    return _FOR_OPERATORS(unquote_to_bytes(path)) is not None


def is_preflight(method: bytes, headers: RequestHeaders) -> bool:
    """Whether a browser asks which requests it may send."""
    asked = b"access-control-request-method"
    return method == b"OPTIONS" and asked in headers.by_name


def headers_for(method: bytes, headers: RequestHeaders) -> HeaderLines:
    """The headers for browsers of a response that is not for operators.

    They allow the same as httpbin's, and the reading of `Server-Timing`.
    """
    if b"origin" not in headers.by_name and method != b"OPTIONS":
        return FOR_ANYBODY
    origin = headers.get("origin")
    told = [*SANDBOX, _WITH_CREDENTIALS]
    if origin is not None and re.fullmatch("[!-~]+", origin):
        told += [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", "*"),
            ("Timing-Allow-Origin", origin),
            ("Vary", "Origin"),
        ]
    else:
        told.append(("Access-Control-Allow-Origin", "*"))
    if method == b"OPTIONS":
        asked = headers.get("access-control-request-method") or ""
        is_other = is_token(asked) and asked not in _METHODS
        methods = (*_METHODS, asked) if is_other else _METHODS
        told += [
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Max-Age", _SECONDS_ALLOWED),
        ]
        names = headers.get("access-control-request-headers")
        if names is not None and re.fullmatch("[ -~]*", names):
            told.append(("Access-Control-Allow-Headers", names))
    return tuple(told)


def with_headers(own: HeaderLines, for_browsers: HeaderLines) -> HeaderLines:
    """The headers of a response, and those for browsers.

    A response's own headers may say who reads it. The sandbox is added to whatever
    policy it has, and its own X-Content-Type-Options is left out.
    """
    names = {name.lower() for name, _ in own}
    if _NO_SNIFFING[0].lower() in names:
        own = tuple(h for h in own if h[0].lower() != _NO_SNIFFING[0].lower())
    return own + tuple(
        h for h in for_browsers if h[0] in _BESIDES_OTHERS or h[0].lower() not in names
    )
