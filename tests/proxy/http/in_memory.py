"""A proxy between a client and an upstream, all of it without sockets."""

from __future__ import annotations

from typing import Any

from nbtwisted.client.target import Origin, Target
from nbtwisted.proxy.http.app import ControlsFrom, ProxyApp, without_controls
from nbtwisted.proxy.http.forwarding import Forwarding
from nbtwisted.proxy.http.upstream import HTTPUpstream
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.site import DelaySite
from tests.client.in_memory import Connection, Network
from tests.guard import ClockCase
from tests.server.in_memory import Visit

__all__ = ["ProxyCase", "answer"]

ORIGIN = Target.parse("http://10.1.2.3:8000").origin


def answer(
    body: bytes = b"hello", *fields: str, status: str = "200 OK", length: bool = True
) -> bytes:
    """The bytes of an upstream's answer."""
    lines = [f"HTTP/1.1 {status}", *fields]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class ProxyCase(ClockCase):
    """Tests of a proxy on a clock: `self.proxy(…)`, then `visit` and `upstream`."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = self.network = Network()
        self.visits: list[Visit] = []
        self.accepted: list[Connection] = []
        self.addCleanup(self._end)

    def proxy(
        self,
        *,
        origin: Origin = ORIGIN,
        controls: ControlsFrom = "headers",
        keeps_host: bool = False,
        tells_client: bool = False,
        server: dict[str, Any] | None = None,
        **options: Any,
    ) -> DelaySite:
        """A proxy; others of its kind take its place for `visit`."""
        clock = self.network
        self.server = DelayServer(
            clock=clock, now=clock.seconds, seed=7, **(server or {})
        )
        forwarding = Forwarding(
            origin,
            "nbtwisted-1",
            keeps_host=keeps_host,
            tells_client=tells_client,
            takes_controls=controls != "none",
        )
        if controls == "all":
            options["clean"] = without_controls
        options = {"now": clock.seconds, **options}
        self.http_upstream = HTTPUpstream(clock, origin, forwarding, **options)
        app = ProxyApp(self.server, self.http_upstream, controls)
        self.site = DelaySite(self.server, clock, app)
        return self.site

    def visit(self, **options: Any) -> Visit:
        """A client that is connected to the proxy."""
        visit = Visit(self.network, site=self.site, channel="ours", **options)
        self.visits.append(visit)
        return visit

    def upstream(self) -> Connection:
        """The upstream's end of the next connection that the proxy makes."""
        connection = self.network.accept(len(self.accepted))
        self.accepted.append(connection)
        self.take(connection)
        return connection

    def take(self, connection: Connection) -> None:
        """Let the kernel take what was sent; the test may look at it later."""
        if connection.has_something_to_send:
            connection._pull_producer.resumeProducing()

    def settle(self) -> None:
        """Let what waits for the next turn of the reactor have it."""
        self.network.advance(0.001)

    def entry(self, number: int = -1) -> dict[str, Any]:
        """A request of the journal, as operators see it."""
        entries = [each.as_json() for each in self.server.in_flight.journal.entries()]
        return entries[number]

    def _end(self) -> None:
        for visit in self.visits:
            visit.leave()
        for connection in self.accepted:
            if connection.state in ("closing", "aborting"):
                connection.finish()
        self.http_upstream.close()
        for connection in self.accepted:
            if connection.state in ("closing", "aborting"):
                connection.finish()
        self.network.advance(0.001)
