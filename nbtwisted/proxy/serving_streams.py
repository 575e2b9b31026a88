"""TCP mode as the options have it: a port of links, or those of Toxiproxy's API."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IListeningPort

from nbtwisted.proxy.operators import StreamServer
from nbtwisted.proxy.options import ProxyOptions
from nbtwisted.proxy.serving import Proxying, usable_files
from nbtwisted.proxy.stream.journal import LinkEntry
from nbtwisted.proxy.stream.link_line import link_line
from nbtwisted.proxy.stream.listener import MOST_LINKS, StreamProxy
from nbtwisted.proxy.stream.place import Upstream
from nbtwisted.server.service.errors import CannotServe
from nbtwisted.server.service.opening import listen_at, open_port

__all__ = ["ProxyingStreams"]


class ProxyingStreams(Proxying):
    """A proxy of streams in front of an upstream; or of Toxiproxy's API alone."""

    what_is_held = "links"
    kind = StreamServer
    server: StreamServer

    def __init__(
        self, options: ProxyOptions, reactor: Any, say: Callable[[str], None]
    ) -> None:
        super().__init__(options, reactor, say)
        self._proxy: StreamProxy | None = None
        if isinstance(options.upstream, Upstream):
            with usable_files():
                self._proxy = self._new(options.upstream)

    def _new(self, upstream: Upstream) -> StreamProxy:
        options = self.options
        return StreamProxy(
            self._reactor,
            listen=options.listen[0],
            upstream=upstream,
            seed=self.server.seed,
            certificate=options.tls_cert,
            key=options.tls_key,
            tls=self._tls,
            most_links=int(min(options.max_in_flight, MOST_LINKS)),
            connect_timeout=options.upstream_timeout,
            report=self._note,
        )

    @property
    def held(self) -> int:
        """How many links are open."""
        return 0 if self._proxy is None else len(self._proxy.links)

    async def _open_ports(self) -> list[str]:
        proxy, named = self._proxy, self.options.named_by["listen"]
        if proxy is None:
            return []
        reactor = self._reactor
        first, *others = self.options.listen
        self.server.upstream = str(proxy.upstream)
        self.server.rule(proxy)
        ports = {first: await open_port(proxy.start, first, named)}
        self.server.add("", proxy)
        reactor.addSystemEventTrigger("during", "shutdown", proxy.stop)
        reactor.addSystemEventTrigger("during", "shutdown", self.server.stop)
        for description in others:
            ports[description] = await listen_at(
                reactor, description, proxy.factory, named
            )
        _check_no_loop(proxy.upstream, list(ports.values()))
        return [
            self._sentence("tcp", "tls+tcp", description, port)
            for description, port in ports.items()
        ]

    async def _finish(self) -> None:
        self.server.in_flight.is_draining = True
        if self._proxy is not None:
            await self._proxy.drain()

    def _note(self, entry: LinkEntry) -> None:
        if self._log is not None:
            self._log.write_line(link_line(entry, str(self.options.upstream)))


def _check_no_loop(upstream: Upstream, ports: Sequence[IListeningPort]) -> None:
    """Raise `CannotServe` for an upstream that is plainly one of our own ports."""
    for port in ports:
        address: Any = port.getHost()
        if (
            isinstance(address, (IPv4Address, IPv6Address))
            and address.port == upstream.port
            and upstream.host in _names_of(ipaddress.ip_address(address.host))
        ):
            raise CannotServe(
                f"UPSTREAM: {upstream} is this proxy itself: expected another place"
            )


def _names_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> set[str]:
    """What leads to a port that listens at an address, as far as that is plain."""
    if address.is_unspecified:
        return {"localhost", "127.0.0.1", "::1", str(address)}
    return {str(address), *(["localhost"] if address.is_loopback else [])}
