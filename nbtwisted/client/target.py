"""A URL taken apart: where to connect, and the bytes to send there. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

import idna

from nbtwisted import __version__
from nbtwisted.client.errors import BadURL
from nbtwisted.printable import printable

__all__ = ["Target", "shown"]

# What may stand in a request target as it is: RFC 3986's reserved and unreserved
# characters and "%". urllib quotes the rest, as UTF-8.
_SAFE_IN_TARGET = "!#$%&'()*+,/:;=?@[]~"
# Not only DNS names: the resolver may know "my_host" too.
_HOST_LABELS = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


@dataclass(frozen=True)
class Target:
    """Where a URL points."""

    url: str
    """The URL as it may be shown: without a user name and password."""
    host: str
    """A name in ASCII, or an address without brackets."""
    port: int
    request: bytes = field(repr=False)
    """The whole request, ready to be sent."""

    @classmethod
    def parse(cls, url: str) -> Target:
        """Take an `http` URL apart.

        Nothing that a URL holds can end a line of the request, or the request.

        Raises `BadURL`, whose text says what was wrong and what was expected.
        """
        # First of all, because urlsplit() quietly drops tabs and line ends.
        for position, character in enumerate(url):
            # What Python makes of an argument's bytes that are no UTF-8.
            if "\ud800" <= character <= "\udfff":
                raise BadURL(f"position {position} is not UTF-8: expected UTF-8")
            if character <= " " or character == "\x7f":
                raise BadURL(
                    f"{character!r} at position {position}: "
                    "expected no spaces and no control characters (a space is %20)"
                )
        # urllib's own words are not passed on: they may have the password in them.
        try:
            parts = urlsplit(url)
        except ValueError:
            raise BadURL(
                "the host cannot be read: expected http://host[:port]/path, "
                "an IPv6 address in brackets"
            ) from None
        try:
            port = parts.port
        except ValueError:
            raise BadURL(
                "the port cannot be read: expected a number from 1 to 65535"
            ) from None
        if parts.scheme == "https":
            raise BadURL("https is not spoken yet: expected http://host[:port]/path")
        if parts.scheme != "http":
            raise BadURL(f"scheme {parts.scheme!r}: expected http://host[:port]/path")
        if port == 0:
            raise BadURL("port 0: expected a port from 1 to 65535")
        host = _host(parts)
        # What comes after the last "@" is safe to show.
        authority = parts.netloc.rpartition("@")[2]
        shown = parts._replace(netloc=authority).geturl()
        return cls(
            url=shown,
            host=host,
            port=port or 80,
            request=_request(parts, host, port),
        )


def shown(url: str) -> str:
    """A URL that could not be read, for people to read: one short line, no secrets."""
    # Up to the last "@", wherever it stands: who mistypes a URL mistypes its password.
    without_secrets = re.sub(r"^(\w+://)?.*@", r"\1", url, flags=re.DOTALL)
    return printable(without_secrets, longest=200)


def _host(parts: SplitResult) -> str:
    host = parts.hostname
    if not host:
        raise BadURL("no host: expected http://host[:port]/path")
    bracketed = parts.netloc.rpartition("@")[2].startswith("[")
    if bracketed and not re.search(r"\](:[0-9]*)?$", parts.netloc):
        raise BadURL("something behind the brackets: expected [address]:port")
    if bracketed:
        try:
            address = IPv6Address(host)
        except AddressValueError as error:
            raise BadURL(f"{error}: expected an IPv6 address in the brackets") from None
        if address.scope_id is not None:
            raise BadURL(f"{host!r}: expected an IPv6 address without a zone")
        return address.compressed
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise BadURL(
                f"host {host!r}: {error}: expected a name such as www.example.com"
            ) from None
    if not _HOST_LABELS.fullmatch(host) or len(host) > 254:
        raise BadURL(f"host {host!r}: expected a name such as www.example.com")
    return host


def _request(parts: SplitResult, host: str, port: int | None) -> bytes:
    target = quote(parts.path or "/", safe=_SAFE_IN_TARGET)
    if parts.query:
        target += "?" + quote(parts.query, safe=_SAFE_IN_TARGET)
    bracketed = f"[{host}]" if ":" in host else host
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {bracketed}" if port in (None, 80) else f"Host: {bracketed}:{port}",
        f"User-Agent: nbtwisted/{__version__}",
        "Accept: */*",
        "Connection: close",
    ]
    if parts.username is not None:
        credentials = b"%b:%b" % (
            unquote_to_bytes(parts.username),
            unquote_to_bytes(parts.password or ""),
        )
        lines.append(f"Authorization: Basic {b64encode(credentials).decode()}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")
