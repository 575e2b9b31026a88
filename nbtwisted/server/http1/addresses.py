"""The addresses of both ends of a connection."""

from __future__ import annotations

import ipaddress
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

# Twisted's only name for it.
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper

from nbtwisted.memo import Memo
from nbtwisted.server.model.request import Addresses

__all__ = ["addresses_of"]


def addresses_of(
    transport: Any, *, peer: IAddress, here: IAddress, is_secure: bool
) -> Addresses:
    """The addresses of a connection, whose transport decides who is local.

    Behind a proxy that speaks PROXY, they are known only after the first bytes.
    """
    # Where such a connection comes from is only what somebody says, and without a word
    # (UNKNOWN, LOCAL) it seems to come from the proxy.
    is_proxied = isinstance(transport, HAProxyProtocolWrapper)
    return Addresses(
        _host_of(peer), _own_host(here), not is_proxied and _is_local(peer), is_secure
    )


def _is_local(address: IAddress) -> bool:
    # Its rights let only operators open our UNIX socket.
    return not isinstance(address, (IPv4Address, IPv6Address)) or _is_loopback(
        address.host
    )


def _host_of(address: IAddress) -> str:
    """The host of a peer; one that speaks IPv4 to an IPv6 socket is shown as IPv4."""
    if not isinstance(address, (IPv4Address, IPv6Address)):
        return "unix"
    return _shown(address.host)


def _own_host(address: IAddress) -> str:
    """The host and port that stand in for a missing or empty Host."""
    if not isinstance(address, (IPv4Address, IPv6Address)):
        return "localhost"
    host = _shown(address.host)
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"


@Memo
def _is_loopback(host: str) -> bool:
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


@Memo
def _shown(host: str) -> str:
    try:
        mapped = ipaddress.IPv6Address(host).ipv4_mapped
    except ValueError:
        # It is IPv4, or has a zone, or is any text from a PROXY header.
        return host
    return str(mapped or host)
