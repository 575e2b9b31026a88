"""The streams of TCP mode, as the proxies of the API have them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from nbtwisted.printable import printable
from nbtwisted.proxy.stream.listener import StreamProxy
from nbtwisted.proxy.stream.place import Upstream
from nbtwisted.proxy.stream.stage import Placed
from nbtwisted.proxy.toxiproxy.errors import ApiError
from nbtwisted.proxy.toxiproxy.listening import Address
from nbtwisted.proxy.toxiproxy.rings import Place

__all__ = ["Streams"]

SEED_BITS = 59
"""The size of a seed, as that of a server that was given none."""


class Streams:
    """Makes streams on `reactor`.

    What is left to chance is drawn from `seed` and the name of a proxy, so that it does
    not depend on the order in which proxies are made.
    """

    def __init__(self, reactor: Any, *, seed: int, allow_remote: bool) -> None:
        self.allow_remote = allow_remote
        self._reactor = reactor
        self._seed = seed

    def place_of(self, upstream: str) -> Place:
        """The host and port of an upstream; raises `ApiError`."""
        read = _parse(upstream)
        return read.host, read.port

    def make(
        self, name: str, address: Address, upstream: str, stages: Sequence[Placed]
    ) -> StreamProxy:
        """A stream of the proxy of this name, whose port is not open yet."""
        return StreamProxy(
            self._reactor,
            listen=_endpoint(address),
            upstream=_parse(upstream),
            seed=Random(f"{self._seed} {name}").getrandbits(SEED_BITS),
            stages=stages,
        )

    def next_turn(self) -> Deferred[None]:
        """Fires when others had their turn."""
        return deferLater(self._reactor, 0)


def _endpoint(address: Address) -> str:
    """The address as Twisted's endpoints have it, where a colon ends an argument."""
    host = address.host.replace(":", r"\:")
    return f"tcp:{address.port}:interface={host}"


def _parse(text: str) -> Upstream:
    try:
        return Upstream.parse(text if "://" in text else f"tcp://{text}")
    except ValueError:
        shown = printable(text, longest=100)
        raise ApiError(
            f"upstream {shown}: expected host:port, such as localhost:6379", 400
        ) from None
