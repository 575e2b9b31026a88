"""Rings of proxies, in which one connection would become thousands. Pure.

    a listens at 127.0.0.1:1, its upstream is 127.0.0.1:2
    b listens at 127.0.0.1:2, its upstream is 127.0.0.1:1

Only what is written tells: a name other than `localhost` is not looked up.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from nbtwisted.proxy.toxiproxy.listening import Address

__all__ = ["Place", "leads_back"]

_HERE = ("localhost", "127.0.0.1", "::1")


Place = tuple[str, int]
"""A host, without brackets and in small letters, and a port."""


def leads_back(
    address: Address,
    upstream: Place,
    at_port: Callable[[int], Iterable[tuple[Address, Place]]],
) -> bool:
    """Whether connections to this upstream come to this address again.

    `at_port` gives the proxies that listen at a port, by their addresses and upstreams.
    """
    passed: set[Address] = set()
    while not _is_at(upstream, address):
        for there, further in at_port(upstream[1]):
            if there not in passed and _is_at(upstream, there):
                passed.add(there)
                upstream = further
                break
        else:
            return False
    return True


def _is_at(place: Place, address: Address) -> bool:
    """Whether who connects to a place comes to what listens at an address."""
    host, port = place
    if port != address.port:
        return False
    listening = ipaddress.ip_address(address.host)
    return host == address.host or (
        host in _HERE
        and (
            listening.is_unspecified or (listening.is_loopback and host == "localhost")
        )
    )
