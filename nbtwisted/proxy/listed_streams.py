"""Streams of Toxiproxy's API, whose links operators see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbtwisted.proxy.operators import LinkedServer
from nbtwisted.proxy.stream.listener import StreamProxy
from nbtwisted.proxy.stream.stage import Placed
from nbtwisted.proxy.toxiproxy.listening import Address
from nbtwisted.proxy.toxiproxy.streams import Streams

__all__ = ["ListedStreams"]


class ListedStreams(Streams):
    """Makes streams for the API that operators see."""

    def __init__(
        self, reactor: Any, server: LinkedServer, *, allow_remote: bool
    ) -> None:
        super().__init__(reactor, seed=server.seed, allow_remote=allow_remote)
        self._server = server

    def make(
        self, name: str, address: Address, upstream: str, stages: Sequence[Placed]
    ) -> StreamProxy:
        """A stream of the proxy of this name, whose port is not open yet."""
        stream = super().make(name, address, upstream, stages)
        self._server.add(name, stream)
        return stream
