"""A URL taken apart: where to connect, and what to ask for there. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from urllib.parse import quote

from nbtwisted.client.errors import BadURL
from nbtwisted.client.host_name import parse_host
from nbtwisted.client.uri import URI, split_uri, without_dots
from nbtwisted.memo import Memo
from nbtwisted.numeral import parse_whole_number
from nbtwisted.printable import printable

__all__ = [
    "LONGEST_URL",
    "Origin",
    "Target",
    "parse_place",
    "parse_port",
    "presentable",
    "shown",
]

LONGEST_URL = 64 * 1024
"""Bytes. Servers take 8 to 16 KiB; what is longer comes from a file of something else,
or from a server that redirects to it."""

# What may stand in a request target as it is: RFC 3986's reserved and unreserved
# characters and "%". urllib quotes the rest, as UTF-8.
_SAFE_IN_TARGET = "!#$%&'()*+,/:;=?@[]~"
_SAFE = re.compile(rf"[A-Za-z0-9_.~{re.escape(_SAFE_IN_TARGET)}-]*")
_UNFIT = re.compile("[\x00- \x7f\ud800-\udfff]")
_PORTS = {"http": 80, "https": 443}
_LARGEST_PORT = 65535
# A colon alone is a host's and a port's, as curl has it; but nobody is called http.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/|https?:", re.IGNORECASE)
_PLACE = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([^:\]]*))?")


class Origin(NamedTuple):
    """What a connection is to, and credentials are for."""

    is_tls: bool
    host: str
    """A name in ASCII, or an address without brackets."""
    port: int

    @property
    def scheme(self) -> str:
        """As in a URL."""
        return "https" if self.is_tls else "http"

    @property
    def place(self) -> str:
        """The host, and the port unless it is the scheme's own, as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.port == _PORTS[self.scheme]
        return host if is_usual else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL points."""

    url: str
    """The URL as it may be shown: without a user name and password."""
    origin: Origin
    path: str
    """What is asked for at the host: the path, and the query if there is one."""
    credentials: str = field(repr=False)
    """The user name and password in the URL, and the `@` behind them; mostly empty."""

    @classmethod
    def parse(cls, url: str, *, is_absolute: bool = False) -> Target:
        """Take an `http` or `https` URL apart.

        One without a scheme is `http`, as `localhost:8000/` is with curl, unless it is
        known to be absolute.

        Raises `BadURL`, whose text says what was wrong and what was expected.
        """
        if len(url) > LONGEST_URL:
            raise BadURL(f"longer than {LONGEST_URL} bytes: expected a shorter one")
        unfit = _UNFIT.search(url)
        if unfit is not None:
            # What Python makes of an argument's bytes that are no UTF-8.
            if unfit[0] >= "\ud800":
                raise BadURL(f"position {unfit.start()} is not UTF-8: expected UTF-8")
            raise BadURL(
                f"{unfit[0]!r} at position {unfit.start()}: "
                "expected no spaces and no control characters (a space is %20)"
            )
        if not is_absolute and not _SCHEME.match(url):
            url = f"http://{url}"
        as_typed, authority, path, query, _ = split_uri(url)
        scheme = (as_typed or "").lower()
        if scheme not in _PORTS:
            scheme = printable(scheme, longest=100)
            raise BadURL(f"scheme '{scheme}': expected http:// or https://")
        # What comes after the last "@" is safe to show.
        user, at, place = (authority or "").rpartition("@")
        if at or as_typed != scheme:
            url = str(replace(URI.split(url), authority=place))
        origin = _origin((scheme, place))
        path = without_dots(path) or "/"
        if query is not None:
            path = f"{path}?{query}"
        if not _SAFE.fullmatch(path):
            path = quote(path, safe=_SAFE_IN_TARGET)
        return cls(url, origin, path, user + at)

    @property
    def sent_url(self) -> str:
        """The URL as the server is asked for it: in ASCII, and without a fragment."""
        return f"{self.origin.scheme}://{self.origin.place}{self.path}"


def presentable(url: str) -> str:
    """The URL as results have it: as a `Target` has it, or `shown` if it is none."""
    try:
        return Target.parse(url).url
    except BadURL:
        return shown(url)


def shown(url: str) -> str:
    """A URL that could not be read, for people to read: one short line, no secrets."""
    # Up to the last "@", wherever it stands: who mistypes a URL mistypes its password.
    without_secrets = re.sub(r"^(\w+://)?.*@", r"\1", url, flags=re.DOTALL)
    return printable(without_secrets, longest=200)


def _read_origin(parts: tuple[str, str]) -> Origin:
    scheme, place = parts
    try:
        host, port = parse_place(place)
    except ValueError as error:
        raise BadURL(str(error)) from None
    return Origin(scheme == "https", host, _PORTS[scheme] if port is None else port)


def parse_place(place: str) -> tuple[str, int | None]:
    """Read a host, and a port if there is one, as a URL has them.

    Raises `ValueError`, whose text says what was expected.
    """
    match = _PLACE.fullmatch(place)
    if match is None and place.startswith("[") and "]" in place:
        raise ValueError("something behind the brackets: expected [address]:port")
    if match is None:
        raise ValueError(
            "the host cannot be read: expected http://host[:port]/path, "
            "an IPv6 address in brackets"
        )
    host, digits = match.groups()
    if not host:
        raise ValueError("no host: expected http://host[:port]/path")
    port = None
    if digits:
        try:
            port = parse_port(digits)
        except ValueError as error:
            raise ValueError(f"the port cannot be read: {error}") from None
    return parse_host(host), port


_origin = Memo(_read_origin)
"""The origin of a scheme, and of a host and port as a URL has them; raises `BadURL`."""


def parse_port(text: str) -> int:
    """Read the number of a TCP port.

    Raises `ValueError`, whose text says what was expected.
    """
    try:
        port = parse_whole_number(text)
    except ValueError:
        port = 0
    if not 0 < port <= _LARGEST_PORT:
        raise ValueError(f"expected a number from 1 to {_LARGEST_PORT}")
    return port
