"""The client of a request, and the URL that it asked for."""

from __future__ import annotations

import re

from nbtwisted.server.model.request import Request

__all__ = ["client", "root_url"]

LONGEST_FORWARDED = 4096
"""Characters of a header Forwarded that is read."""

# Quoted text may have a comma or a semicolon in it.
_FORWARDED = re.compile(
    r'[ \t]*([^\s=;,"]*)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)[ \t]*([;,]|$)'
)


_OF_PROXIES = frozenset(
    (b"x-forwarded-ssl", b"x-forwarded-proto", b"x-forwarded-protocol", b"forwarded")
)


def client(request: Request) -> str:
    """The client's address, as a proxy or else the connection has it."""
    return request.header("x-forwarded-for") or request.addresses.peer


def root_url(request: Request) -> str:
    """The URL that was asked for, up to its path."""
    host = request.header("host") or request.addresses.own
    return f"{_scheme(request)}://{host}"


def _scheme(request: Request) -> str:
    """`http` or `https`, by the target, a proxy, or else the connection."""
    if request.scheme is not None:
        return request.scheme
    own = "https" if request.addresses.is_secure else "http"
    if _OF_PROXIES.isdisjoint(request.headers.by_name):
        return own
    is_tls_elsewhere = (request.header("x-forwarded-ssl") or "").lower() == "on"
    for scheme in (
        _first(request.header("x-forwarded-proto")),
        _first(request.header("x-forwarded-protocol")),
        "https" if is_tls_elsewhere else "",
        _forwarded_proto(request.header("forwarded") or ""),
    ):
        if scheme in ("http", "https"):
            return scheme
    return own


def _first(value: str | None) -> str:
    """The first proxy's value: each proxy adds its own behind a comma."""
    return (value or "").partition(",")[0].strip(" \t").lower()


def _forwarded_proto(value: str) -> str:
    """The `proto` of the first element of the header Forwarded; RFC 7239."""
    if len(value) > LONGEST_FORWARDED:
        return ""
    value = value.lower()
    pair = _FORWARDED.match(value)
    while pair is not None and pair[1] != "proto" and pair[3] == ";":
        # To search would take a time that grows with the square of the length.
        pair = _FORWARDED.match(value, pair.end())
    return pair[2].strip('"') if pair is not None and pair[1] == "proto" else ""
