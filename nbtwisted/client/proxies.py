"""Proxies, and which of them a request goes through: as curl reads them. Pure."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal, NamedTuple, cast
from urllib.parse import unquote_to_bytes

from nbtwisted.client.target import Origin, parse_place
from nbtwisted.client.uri import split_uri
from nbtwisted.printable import printable

__all__ = ["Proxies", "Proxy", "Route"]

DEFAULT_PORT = 1080
"""curl's, also for `http`."""

MOST_SOCKS_BYTES = 255
"""Of a user name and of a password: RFC 1929, 2."""

_KINDS = ("http", "socks5", "socks5h")
_EXPECTED = "expected http://, socks5:// or socks5h://"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and who we are to it.

    With `socks5` names are looked up here, with `socks5h` by the proxy; an `http` proxy
    looks them up, too.
    """

    kind: Literal["http", "socks5", "socks5h"]
    host: str
    """A name in ASCII, or an address without brackets."""
    port: int
    user: bytes | None = field(default=None, repr=False)
    """None where there is none to be told."""
    password: bytes = field(default=b"", repr=False)

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """Read `[KIND://][USER[:PASSWORD]@]HOST[:PORT]`; without a kind it is `http`.

        Raises `ValueError`, whose text says what was expected, and no password.
        """
        if "://" not in text:
            text = f"http://{text}"
        as_typed, authority, *_ = split_uri(text)
        kind = (as_typed or "").lower()
        if kind not in _KINDS:
            shown = printable(kind, longest=20)
            raise ValueError(f"a proxy by '{shown}': {_EXPECTED}")
        name, at, place = (authority or "").rpartition("@")
        try:
            host, port = parse_place(place)
        except ValueError as error:
            reason = str(error).replace("http://host[:port]/path", "host[:port]")
            raise ValueError(f"the proxy: {reason}") from None
        user, _, password = name.partition(":")
        proxy = cls(
            cast(Literal["http", "socks5", "socks5h"], kind),
            host,
            DEFAULT_PORT if port is None else port,
            unquote_to_bytes(os.fsencode(user)) if at else None,
            unquote_to_bytes(os.fsencode(password)),
        )
        if kind != "http":
            for name, value in (
                ("user name", proxy.user),
                ("password", proxy.password),
            ):
                if value is not None and len(value) > MOST_SOCKS_BYTES:
                    raise ValueError(
                        f"the proxy: expected a {name} of {MOST_SOCKS_BYTES} bytes "
                        "at most for SOCKS"
                    )
        return proxy

    def __str__(self) -> str:
        """As it may be shown: without a user name and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"

    @property
    def authorization(self) -> str | None:
        """The value of `Proxy-Authorization`; None if there is none to be sent."""
        if self.user is None:
            return None
        return f"Basic {b64encode(self.user + b':' + self.password).decode()}"


class Route(NamedTuple):
    """What a connection can be used for again."""

    origin: Origin | None
    """None for a proxy that takes requests for any host, by http in the clear."""
    proxy: Proxy | None

    @property
    def is_tunnel(self) -> bool:
        """Whether the proxy is to open a connection to the origin."""
        return self.proxy is not None and self.origin is not None


@dataclass(frozen=True)
class Proxies:
    """Which proxy requests go through: `http` and `https` by their URLs' schemes.

    `no_proxy` has names and addresses, with commas or blanks between them, that none is
    used for. A name stands for all below it, too, with a dot before it or without; an
    address may have the length of its prefix behind a slash. `*` alone is every host.
    """

    http: Proxy | None = None
    https: Proxy | None = None
    no_proxy: str = ""

    @classmethod
    def read(
        cls,
        proxy: str | None = None,
        no_proxy: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Proxies:
        """Read what `-x` and `--noproxy` say; else the variables of the environment.

        An empty `proxy` is none, whatever the environment says.

        Raises `ValueError`, whose text says what was expected.
        """
        environment = environment or {}
        if no_proxy is None:
            no_proxy = _variable(environment, "no_proxy", "NO_PROXY")[1]
        if proxy is not None:
            by_all = Proxy.parse(proxy) if proxy else None
            return cls(by_all, by_all, no_proxy)
        if no_proxy.strip() == "*":
            return cls(no_proxy=no_proxy)
        # Of a CGI's environment, HTTP_PROXY would be a client's header.
        all_names = ("all_proxy", "ALL_PROXY")
        http = _variable(environment, "http_proxy", *all_names)
        https = _variable(environment, "https_proxy", "HTTPS_PROXY", *all_names)
        return cls(_parse_variable(*http), _parse_variable(*https), no_proxy)

    def proxy_for(self, origin: Origin) -> Proxy | None:
        """The proxy for requests to there; None if they are to go there directly."""
        proxy = self.https if origin.is_tls else self.http
        return None if proxy is None or self._excepts(origin.host) else proxy

    def route(self, origin: Origin) -> Route:
        """The way for requests to there."""
        proxy = self.proxy_for(origin)
        if proxy is not None and proxy.kind == "http" and not origin.is_tls:
            return Route(None, proxy)
        return Route(origin, proxy)

    @cached_property
    def _exceptions(
        self,
    ) -> tuple[frozenset[str], tuple[IPv4Network | IPv6Network, ...]]:
        names, networks = set(), []
        for entry in re.split(r"[,\s]+", self.no_proxy):
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                names.add(entry.lower().removeprefix(".").removesuffix("."))
        return frozenset(names - {""}), tuple(networks)

    def _excepts(self, host: str) -> bool:
        if self.no_proxy.strip() == "*":
            return True
        names, networks = self._exceptions
        try:
            address = ip_address(host)
        except ValueError:
            labels = host.removesuffix(".").split(".")
            return any(".".join(labels[n:]) in names for n in range(len(labels)))
        return any(address in network for network in networks)


def _variable(environment: Mapping[str, str], *names: str) -> tuple[str, str]:
    """The first that is not empty, and its name."""
    for name in names:
        if environment.get(name):
            return name, environment[name]
    return "", ""


def _parse_variable(name: str, value: str) -> Proxy | None:
    if not value:
        return None
    try:
        return Proxy.parse(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
