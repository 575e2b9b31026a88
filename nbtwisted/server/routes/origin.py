"""Where a request came from, and the URL that it came to."""

from __future__ import annotations

import ipaddress
import re

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.web.server import Request

from nbtwisted.server.routes.parameters import header

__all__ = ["client", "host_of", "own_host", "root_url", "take_off_origin"]

# What is quoted may have a comma or a semicolon in it.
_FORWARDED = re.compile(r'([^\s=;,"]*)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)[ \t]*([;,]|$)')


def host_of(address: IAddress) -> str:
    """The host of a peer; one that speaks IPv4 to an IPv6 socket is shown as IPv4."""
    if not isinstance(address, (IPv4Address, IPv6Address)):
        return "unix"
    try:
        mapped = ipaddress.IPv6Address(address.host).ipv4_mapped
    except ValueError:
        # It is IPv4, or has a zone, or is what a proxy that speaks PROXY calls it.
        return address.host
    return str(mapped or address.host)


def client(request: Request) -> str:
    """The address that the request came from, or that a proxy says that it did."""
    return header(request, "x-forwarded-for") or host_of(request.getClientAddress())


def take_off_origin(
    request: Request, scheme: bytes, host: bytes, target: bytes
) -> None:
    """Have a request whose target is a whole URL be the same as one for its path.

    RFC 9112, 3.2.2 and 3.3: the URL's host is in place of the header's, and the URL is
    what was asked for.
    """
    request.requestHeaders.setRawHeaders(b"host", [host])
    request.uri = target
    request.path = target.partition(b"?")[0]
    request.asked_scheme = scheme.decode().lower()  # type: ignore[attr-defined]


def root_url(request: Request) -> str:
    """The URL that the request came to, up to where the path begins."""
    host: bytes | None = request.getHeader(b"host")
    shown = host.decode("utf-8", "replace") if host else own_host(request.getHost())
    return f"{_scheme(request)}://{shown}"


def _scheme(request: Request) -> str:
    """`http` or `https`, as the target has it, or a proxy, or else the connection."""
    asked: str | None = getattr(request, "asked_scheme", None)
    if asked is not None:
        return asked
    is_tls_elsewhere = (header(request, "x-forwarded-ssl") or "").lower() == "on"
    for scheme in (
        _first(header(request, "x-forwarded-proto")),
        _first(header(request, "x-forwarded-protocol")),
        "https" if is_tls_elsewhere else "",
        _forwarded_proto(header(request, "forwarded") or ""),
    ):
        # What is none of these has nothing to do in our URLs.
        if scheme in ("http", "https"):
            return scheme
    return "https" if request.isSecure() else "http"


def _first(value: str | None) -> str:
    """What the first proxy said: each one adds its own behind a comma."""
    return (value or "").partition(",")[0].strip(" \t").lower()


def _forwarded_proto(value: str) -> str:
    """The `proto` of the first element of the header Forwarded; RFC 7239."""
    for name, said, end in _FORWARDED.findall(value.lower()):
        if name == "proto":
            return str(said).strip('"')
        if end != ";":
            break
    return ""


def own_host(address: IAddress) -> str:
    """What stands in for a Host that a request has not, or has empty."""
    if not isinstance(address, (IPv4Address, IPv6Address)):
        return "localhost"
    host = host_of(address)
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
