"""Where proxies listen, as Toxiproxy's users write it. Pure.

    127.0.0.1:26379   localhost:0   [::1]:26379      this machine alone
    0.0.0.0:26379     [::]:26379    :26379           every address of this machine

Names other than `localhost` are not looked up.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from nbtwisted.printable import printable
from nbtwisted.proxy.toxiproxy.errors import ApiError

__all__ = ["Address", "parse_listen"]

_HIGHEST_PORT = 65535
_PORT = re.compile("[0-9]{1,5}")
_ANYWHERE = "[::]"


@dataclass(frozen=True)
class Address:
    """An address of this machine: an IP address and a port, which may be 0."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_listen(text: str, *, allow_remote: bool) -> Address:
    """Read a listen address.

    An address that other machines can reach is refused, unless `allow_remote`. Without
    one, it is a free port of this machine alone; or of every address, as Toxiproxy has
    it, with `allow_remote`.

    Raises `ApiError`, with Toxiproxy's text and status for what it refuses, too.
    """
    if not text:
        return Address("::" if allow_remote else "127.0.0.1", 0)
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        raise _unfit(text, "missing port in address")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise _unfit(text, "too many colons in address")
    if not _PORT.fullmatch(port) or int(port) > _HIGHEST_PORT:
        raise _unfit(port, "invalid port")
    if host.lower() == "localhost":
        host = "127.0.0.1"
    try:
        address = ipaddress.ip_address((host or _ANYWHERE).strip("[]"))
        if getattr(address, "scope_id", None) is not None:
            raise ValueError
    except ValueError:
        raise _unfit(host, "expected localhost or an IP address") from None
    if not (allow_remote or address.is_loopback):
        raise ApiError(
            f"listen tcp {printable(text, longest=80)}: other machines could connect; "
            "expected an address of this machine alone, such as 127.0.0.1:26379",
            400,
        )
    return Address(str(address), int(port))


def _unfit(part: str, problem: str) -> ApiError:
    return ApiError(
        f"listen tcp: address {printable(part, longest=80)}: {problem}", 500
    )
