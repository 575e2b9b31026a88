"""Proxies that the process of the servers has open."""

from __future__ import annotations

import math
from typing import Any, TypedDict

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IListeningPort

from nbtwisted.client.connection.pool import TLSOptions
from nbtwisted.client.target import Origin
from nbtwisted.proxy.http.app import ControlsFrom
from nbtwisted.proxy.http.failing import UpstreamErrors
from nbtwisted.proxy.http.site import ProxySite
from nbtwisted.proxy.operators import StreamServer
from nbtwisted.proxy.place import parse_upstream
from nbtwisted.proxy.stream.listener import CONNECT_TIMEOUT, MOST_LINKS, StreamProxy
from nbtwisted.proxy.stream.place import Upstream
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.model.control_text import PROXIED, STREAMED
from nbtwisted.server.routes.delay_app import OperatorsApp
from nbtwisted.testing.opened import HOST, JOURNAL_SIZE, Opened

__all__ = ["opened_proxy"]


class _Shared(TypedDict, total=False):
    """Settings of proxies of both kinds, besides those of `server_with_rules`."""

    upstream_timeout: float
    insecure: bool
    cacert: str | None


def opened_proxy(reactor: Any, upstream: str, **settings: Any) -> Opened:
    """A proxy whose ports are not open yet; raises `ValueError`.

    `upstream` is as people type it. The settings are those of `server_with_rules`, and
    the options of `nbtwisted proxy` of the same names.
    """
    place = parse_upstream(upstream)
    insecure, cacert = settings.pop("insecure", False), settings.pop("cacert", None)
    tls: TLSOptions = {"verify": not insecure, "authorities": cacert}
    timeout = settings.pop("upstream_timeout", CONNECT_TIMEOUT)
    try:
        if isinstance(place, Origin):
            return _OpenedHTTP(reactor, place, tls, timeout, **settings)
        return _OpenedStreams(reactor, place, tls, timeout, **settings)
    except OSError as error:
        why = f"cannot read {error.filename}: {error.strerror}"
        raise ValueError(why) from None


class _OpenedHTTP(Opened):
    """A proxy of HTTP."""

    def __init__(
        self,
        reactor: Any,
        upstream: Origin,
        tls: TLSOptions,
        timeout: float,
        *,
        controls: ControlsFrom = "headers",
        upstream_errors: UpstreamErrors = "status",
        **settings: Any,
    ) -> None:
        super().__init__(reactor)
        server = self._server(DelayServer, vocabulary=PROXIED, **settings)
        self._operators = DelaySite(server, reactor, OperatorsApp(server))
        self._site = ProxySite(
            *(server, reactor, upstream),
            controls=controls,
            errors=upstream_errors,
            timeout=timeout,
            tls=tls,
        )

    def open(self) -> Deferred[dict[str, Any]]:
        """Open the ports; fires with them, as JSON values."""
        port = self._listen(self._site)
        operators_port = self._listen(self._operators)
        return succeed(
            {"scheme": "http", "port": port, "operators_port": operators_port}
        )

    def close(self) -> None:
        """Close the ports, and all connections."""
        super().close()
        self._site.abort_connections()
        self._operators.abort_connections()
        self._site.upstream.close()


class _OpenedStreams(Opened):
    """A proxy of streams."""

    def __init__(
        self,
        reactor: Any,
        upstream: Upstream,
        tls: TLSOptions,
        timeout: float,
        *,
        max_in_flight: float = math.inf,
        **settings: Any,
    ) -> None:
        super().__init__(reactor)
        for name in ("controls", "upstream_errors"):
            if name in settings:
                expected = "http:// or https:// as the upstream"
                raise ValueError(f"{name}={settings[name]!r}: expected {expected}")
        server = self._server(StreamServer, vocabulary=STREAMED, **settings)
        self._server_of_links = server
        self._operators = DelaySite(server, reactor, OperatorsApp(server))
        self._proxy = StreamProxy(
            reactor,
            listen=f"tcp:0:interface={HOST}",
            upstream=upstream,
            seed=server.seed,
            tls=tls,
            most_links=int(min(max_in_flight, MOST_LINKS)),
            connect_timeout=timeout,
            journal_size=JOURNAL_SIZE,
        )
        server.upstream = str(upstream)

    def open(self) -> Deferred[dict[str, Any]]:
        """Open the ports; fires with them, as JSON values."""
        operators_port = self._listen(self._operators)
        self._server_of_links.rule(self._proxy)

        def opened(port: IListeningPort) -> dict[str, Any]:
            self._server_of_links.add("", self._proxy)
            address: Any = port.getHost()
            return {
                "scheme": "tcp",
                "port": address.port,
                "operators_port": operators_port,
            }

        return self._proxy.start().addCallback(opened)

    def close(self) -> None:
        """Close the ports, and all connections."""
        super().close()
        self._server_of_links.stop()
        self._operators.abort_connections()
        self._proxy.stop()
