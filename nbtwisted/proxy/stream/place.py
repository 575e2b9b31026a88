"""The upstream of TCP mode, as people type it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbtwisted.client.target import parse_place
from nbtwisted.printable import printable

__all__ = ["Upstream"]

EXPECTED = "tcp://host:port or tls+tcp://host:port"

_SCHEMES = {"tcp": False, "tls+tcp": True}


@dataclass(frozen=True)
class Upstream:
    """A host and a port to connect to.

    host     a name in ASCII, or an address without brackets
    port     1 to 65535
    is_tls   whether TLS is spoken to it
    """

    host: str
    port: int
    is_tls: bool = False

    @classmethod
    def parse(cls, text: str) -> Upstream:
        """Read `tcp://host:port` or `tls+tcp://host:port`.

        Raises `ValueError`, whose text says what was wrong and what was expected.
        """
        scheme, colon, rest = text.partition("://")
        is_tls = _SCHEMES.get(scheme.lower())
        if not colon or is_tls is None:
            shown = printable(text.rpartition("@")[2], longest=100)
            raise ValueError(f"{shown!r}: expected {EXPECTED}")
        if "@" in rest:
            raise ValueError(f"there are credentials in it: expected {EXPECTED}")
        if re.search("[/?#]", rest.removesuffix("/")):
            raise ValueError(f"there is a path behind the port: expected {EXPECTED}")
        try:
            host, port = parse_place(rest.removesuffix("/"))
        except ValueError as error:
            raise ValueError(str(error).replace(*_AS_HERE)) from None
        if port is None:
            raise ValueError(f"there is no port: expected {EXPECTED}")
        return cls(host, port, is_tls)

    def __str__(self) -> str:
        scheme = "tls+tcp" if self.is_tls else "tcp"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


_AS_HERE = ("http://host[:port]/path", EXPECTED)
"""What is expected of a URL, and what is expected here."""
