"""The upstream of a proxy, as people type it. Pure."""

from __future__ import annotations

from nbtwisted.client.errors import BadURL
from nbtwisted.client.target import Origin, Target, shown
from nbtwisted.client.uri import split_uri
from nbtwisted.proxy.stream.place import Upstream

__all__ = ["EXPECTED", "parse_upstream"]

EXPECTED = (
    "http://host[:port], https://host[:port], tcp://host:port or tls+tcp://host:port"
)
"""What to tell someone whose upstream could not be read."""

_HTTP = "http://host[:port] or https://host[:port]"
_WITH_PATH = "http://host[:port]/path"


def parse_upstream(text: str) -> Origin | Upstream:
    """Read `http://…` or `https://…`, or `tcp://host:port` or `tls+tcp://host:port`.

    Raises `ValueError`, whose text says what was wrong and what was expected. It shows
    no credentials.
    """
    scheme, colon, _ = text.partition("://")
    if not colon:
        raise ValueError(f"{shown(text)!r}: there is no scheme: expected {EXPECTED}")
    try:
        if scheme.lower() in ("http", "https"):
            return _parse_http(text)
        if scheme.lower() in ("tcp", "tls+tcp"):
            return Upstream.parse(text)
    except ValueError as error:
        raise ValueError(f"{shown(text)!r}: {error}") from None
    raise ValueError(f"{shown(text)!r}: no such scheme: expected {EXPECTED}")


def _parse_http(text: str) -> Origin:
    try:
        target = Target.parse(text, is_absolute=True)
    except BadURL as error:
        raise ValueError(str(error).replace(_WITH_PATH, _HTTP)) from None
    if target.credentials:
        raise ValueError(
            "there are credentials in it: expected them in the Authorization of the "
            "requests, which is passed on"
        )
    *_, path, query, fragment = split_uri(text)
    if path not in ("", "/"):
        raise ValueError(
            f"there is a path in it: expected {_HTTP}, for paths are those of the "
            "requests"
        )
    if query is not None or fragment is not None:
        part = "query" if query is not None else "fragment"
        raise ValueError(f"there is a {part} in it: expected {_HTTP}")
    return target.origin
