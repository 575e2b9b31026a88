"""The echo: what the server saw of a request, in httpbin's fields and types."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.web.server import Request

__all__ = ["echo"]


def echo(request: Request) -> dict[str, Any]:
    """The arguments, headers, origin and URL of a request, as JSON values.

    An argument given once is a string, and one given more often is a list; the values
    of a repeated header are joined with commas. Bytes that are not UTF-8 are shown as
    the replacement character.
    """
    return {
        "args": {
            _text(name): [_text(value) for value in values]
            if len(values) > 1
            else _text(values[0])
            for name, values in request.args.items()
        },
        "headers": {
            _text(name): ",".join(map(_text, values))
            for name, values in request.requestHeaders.getAllRawHeaders()
        },
        "origin": _origin(request),
        "url": _url(request),
    }


def _origin(request: Request) -> str:
    address = request.getClientAddress()
    return address.host if isinstance(address, (IPv4Address, IPv6Address)) else "unix"


def _url(request: Request) -> str:
    scheme = "https" if request.isSecure() else "http"
    host = request.getHeader(b"host") or request.getRequestHostname()
    return f"{scheme}://{_text(host)}{_text(request.uri)}"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
