"""Opens connections to an upstream, as the client opens its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtwisted.client.connection.opening import Opening, interleaved
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.proxy.stream.place import Upstream
from nbtwisted.proxy.stream.side import LinkOfSides
from nbtwisted.proxy.stream.upstream_side import UpstreamSide

if TYPE_CHECKING:
    from nbtwisted.client.connection.pool import TLSOptions
    from nbtwisted.client.connection.tls import TLS

__all__ = ["Opener"]


class Opener:
    """Opens connections to an upstream: to that of its addresses which answers first.

    `tls` is whom to trust and whom to be; the certificate has to be for the upstream's
    host. Raises `OSError` and `ValueError` for files of these, as `TLS` does.
    """

    def __init__(
        self,
        reactor: Any,
        upstream: Upstream,
        *,
        tls: TLSOptions | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self.upstream = upstream
        self._reactor = reactor
        self._resolver = resolver or Resolver(reactor)
        self._tls: TLS | None = None
        if upstream.is_tls:
            from nbtwisted.client.connection.tls import TLS  # 60 ms, with OpenSSL

            # Nobody knows what is spoken over it, so nothing is offered.
            self._tls = TLS(**(tls or {}), protocols=())

    def new(self, link: LinkOfSides) -> UpstreamSide:
        """A connection for a link; it is to be opened by `open`."""
        tls = self._tls
        handshake = None if tls is None else tls.handshake(self.upstream.host)
        return UpstreamSide(link, handshake)

    def open(self, side: UpstreamSide) -> None:
        """Open it; it is told what becomes of that."""
        side.opening = Opening(self._reactor, side, self.upstream.port)
        found = self._resolver.resolve(self.upstream.host).addCallback(interleaved)
        side.opening.begin(found)
