"""A URL taken apart: where to connect, and the bytes to send there. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

import idna

from nbtwisted import __version__
from nbtwisted.client.errors import BadURL
from nbtwisted.printable import printable

__all__ = ["LONGEST_URL", "Headers", "Origin", "Target", "parse_header", "shown"]

Headers = Sequence[tuple[str, str]]

Origin = tuple[bool, str, int]
"""Whether it speaks TLS, the host, and the port."""

LONGEST_URL = 64 * 1024
"""Bytes. Servers take 8 to 16 KiB; what is longer comes from a file of something else,
or from a server that redirects to it."""

# What may stand in a request target as it is: RFC 3986's reserved and unreserved
# characters and "%". urllib quotes the rest, as UTF-8.
_SAFE_IN_TARGET = "!#$%&'()*+,/:;=?@[]~"
_PORTS = {"http": 80, "https": 443}
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
    is_tls: bool
    path: str
    """What is asked for at the host: the path, and the query if there is one."""
    credentials: str = field(repr=False)
    """The user name and password in the URL, and the `@` behind them; mostly empty."""

    @property
    def origin(self) -> Origin:
        """What a connection is to, and credentials are for."""
        return self.is_tls, self.host, self.port

    @classmethod
    def parse(cls, url: str) -> Target:
        """Take an `http` or `https` URL apart.

        Raises `BadURL`, whose text says what was wrong and what was expected.
        """
        if len(url) > LONGEST_URL:
            raise BadURL(f"longer than {LONGEST_URL} bytes: expected a shorter one")
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
        if parts.scheme not in _PORTS:
            raise BadURL(f"scheme {parts.scheme!r}: expected http:// or https://")
        if port == 0:
            raise BadURL("port 0: expected a port from 1 to 65535")
        host = _host(parts)
        # What comes after the last "@" is safe to show.
        user, at, authority = parts.netloc.rpartition("@")
        shown = parts._replace(netloc=authority).geturl()
        path = quote(parts.path or "/", safe=_SAFE_IN_TARGET)
        if parts.query:
            path += "?" + quote(parts.query, safe=_SAFE_IN_TARGET)
        return cls(
            url=shown,
            host=host,
            port=port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "https",
            path=path,
            credentials=user + at,
        )

    def request(self, headers: Headers = (), *, keep_alive: bool = False) -> bytes:
        """The whole request; nothing that a URL holds can end a line of it, or itself.

        `headers` are names and values as `parse_header` reads them, in place of ours.
        Unless it is to `keep_alive`, the server is told that the connection may close.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.port != _PORTS["https" if self.is_tls else "http"]:
            host += f":{self.port}"
        ours = {
            "Host": host,
            "User-Agent": f"nbtwisted/{__version__}",
            "Accept": "*/*",
        }
        if not keep_alive:
            ours["Connection"] = "close"
        if self.credentials:
            user, _, password = self.credentials[:-1].partition(":")
            pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
            ours["Authorization"] = f"Basic {b64encode(pair).decode()}"
        given = {name.lower() for name, _ in headers}
        lines = [f"GET {self.path} HTTP/1.1"]
        lines += [f"{n}: {v}" for n, v in ours.items() if n.lower() not in given]
        # A name without a value takes our header away, as with curl.
        lines += [f"{name}: {value}" for name, value in headers if value]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def parse_header(text: str) -> tuple[str, str]:
    """Read `Name: value`, or `Name:` for none; raises `ValueError`."""
    name, colon, value = text.partition(":")
    value = value.strip(" \t")
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise ValueError("expected 'Name: value'")
    if not re.fullmatch(r"[\t -~\x80-\xff]*", value):
        raise ValueError("expected a value without control characters")
    if name.lower() in ("content-length", "transfer-encoding", "connection"):
        raise ValueError("expected a header that does not frame the request")
    return name, value


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
        # From Python 3.11.4 on, urlsplit() finds that out.
        except AddressValueError as error:  # pragma: no cover
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
