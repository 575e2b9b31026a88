"""The API as a command has it: a site for a port, and the proxies behind it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from nbtwisted import __version__
from nbtwisted.proxy.toxiproxy.collection import Collection
from nbtwisted.proxy.toxiproxy.named_proxy import OpensStreams
from nbtwisted.proxy.toxiproxy.pending import when_there
from nbtwisted.proxy.toxiproxy.routes import Routes
from nbtwisted.proxy.toxiproxy.streams import Streams
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.browsers import FOR_OPERATORS
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.router import Server

__all__ = ["LIKE", "ToxiproxyAPI"]

LIKE = "2.12.0"
"""The version of Toxiproxy whose API this is."""


class ToxiproxyAPI:
    """Toxiproxy's API over proxies that `reactor` carries out.

    collection   the proxies

    seed           decides what is left to chance
    allow_remote   whether proxies may listen where other machines can connect, and
                   whether programs elsewhere may use the API
    streams        opens the ports, in place of those of `reactor`
    """

    def __init__(
        self,
        reactor: Any,
        *,
        seed: int,
        allow_remote: bool = False,
        streams: OpensStreams | None = None,
    ) -> None:
        self._reactor = reactor
        self._server = Server(clock=IReactorTime(reactor), seed=seed)
        self.collection = Collection(
            streams or Streams(reactor, seed=seed, allow_remote=allow_remote)
        )
        self._app = _App(
            Routes(
                self.collection,
                version=f"{LIKE}+nbtwisted.{__version__}",
                instance_id=self._server.instance_id,
                allow_remote=allow_remote,
            )
        )
        self._site: DelaySite | None = None

    def site(self) -> DelaySite:
        """What to listen with on the API's own port, or ports."""
        if self._site is None:
            self._site = DelaySite(self._server, self._reactor, self._app)
        return self._site

    def stop(self) -> Deferred[None]:
        """Close all proxies, cut their links, and end the connections of the API."""
        if self._site is not None:
            self._site.abort_connections()
        return Deferred.fromCoroutine(self.collection.close())


class _App:
    """Answers all requests of a port by the API's routes."""

    passes_bodies_on = False

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    def decide(self, request: Request) -> Behaviour:
        """As every app's."""
        return when_there(self._routes.answer(request))

    def reading_rate(self, request: Request) -> float | None:
        """As every app's: at once."""
        return None

    def is_for_operators(self, path: bytes) -> bool:
        """All requests are: they are in no journal."""
        return True

    def headers_for(self, request: Request) -> HeaderLines:
        """As every app's: no page may read it."""
        return FOR_OPERATORS
