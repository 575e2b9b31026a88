"""The upstream of a proxy of HTTP, and the connections that are kept to it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from nbtwisted.client.connection.pool import Pool, TLSOptions
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.request.deadlines import Deadlines
from nbtwisted.client.target import Origin
from nbtwisted.proxy.http.asking import LOOKS, Asking
from nbtwisted.proxy.http.failing import UpstreamErrors
from nbtwisted.proxy.http.forwarding import Forwarding
from nbtwisted.proxy.http.recorder import Recorder
from nbtwisted.server.engine.upstream import Listener
from nbtwisted.server.model.request import Request

__all__ = ["DEFAULT_TIMEOUT", "HTTPUpstream"]

DEFAULT_TIMEOUT = 60.0
"""Seconds, as nginx has it."""

MOST_KEPT = 256
"""Connections that are kept to the upstream while they are free."""


class HTTPUpstream:
    """Passes requests on to a server.

    place        where it is, as a URL
    origin       the same
    forwarding   writes the heads of requests for it
    recorder     is told what passes, if somebody wants to know

    The server may take `timeout` seconds to be connected to, to begin its answer, and
    between two of its bytes. `errors` says what becomes of it if it gives no answer.
    `clean` takes what is not the upstream's from a request's target. `now` reads
    seconds. Raises `ValueError` for files of `tls` that hold something else, and
    `OSError` for those that cannot be read.
    """

    def __init__(
        self,
        reactor: Any,
        origin: Origin,
        forwarding: Forwarding,
        *,
        errors: UpstreamErrors = "status",
        timeout: float = DEFAULT_TIMEOUT,
        tls: TLSOptions | None = None,
        recorder: Recorder | None = None,
        clean: Callable[[Request], bytes] = lambda request: request.target,
        now: Callable[[], float],
        resolver: Resolver | None = None,
    ) -> None:
        self.origin = origin
        self.place = f"{origin.scheme}://{origin.place}"
        self.forwarding = forwarding
        self.errors = errors
        self.timeout = timeout
        self.recorder = recorder
        self.clean = clean
        self.now = now
        self.pool = Pool(
            reactor,
            limits=Limits(body=sys.maxsize),
            keeps_alive=True,
            most=sys.maxsize,
            most_idle=MOST_KEPT,
            tls=(tls or {}) if origin.is_tls else None,
            resolver=resolver,
        )
        self.route = self.pool.route(origin)
        self.deadlines = Deadlines(reactor).lane(timeout / LOOKS, Asking.look)

    def ask(self, request: Request, listener: Listener) -> Asking:
        """Pass a request on."""
        asking = Asking(self, request, listener)
        asking.start()
        return asking

    def close(self) -> Deferred[None]:
        """Close the connections that are kept; fires when they are gone."""
        return self.pool.close()
