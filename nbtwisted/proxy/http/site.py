"""A proxy of HTTP put together: a site for its ports, over a server and an upstream."""

from __future__ import annotations

from typing import Any

from nbtwisted.client.connection.pool import TLSOptions
from nbtwisted.client.target import Origin
from nbtwisted.proxy.http.app import ControlsFrom, ProxyApp, without_controls
from nbtwisted.proxy.http.failing import UpstreamErrors
from nbtwisted.proxy.http.forwarding import Forwarding
from nbtwisted.proxy.http.recorder import Recorder
from nbtwisted.proxy.http.upstream import DEFAULT_TIMEOUT, HTTPUpstream
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.router import Server

__all__ = ["ProxySite"]


class ProxySite(DelaySite):
    """Serves what the upstream at `origin` answers, by the rules of `server`.

    `controls` says where requests may have controls, `forwarded` whether the upstream
    is told of clients, and `keep_host` whether of the Host that they have named. The
    other parameters are those of `HTTPUpstream`, and so is what it raises.

    upstream   passes requests on
    """

    def __init__(
        self,
        server: Server,
        reactor: Any,
        origin: Origin,
        *,
        controls: ControlsFrom = "headers",
        errors: UpstreamErrors = "status",
        timeout: float = DEFAULT_TIMEOUT,
        forwarded: bool = False,
        keep_host: bool = False,
        tls: TLSOptions | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.upstream = HTTPUpstream(
            reactor,
            origin,
            Forwarding(
                origin,
                f"nbtwisted-{server.instance_id}",
                keeps_host=keep_host,
                tells_client=forwarded,
                takes_controls=controls != "none",
            ),
            errors=errors,
            timeout=timeout,
            tls=tls,
            recorder=recorder,
            now=server.in_flight.now,
            clean=without_controls if controls == "all" else _whole_target,
        )
        server.upstream = self.upstream.place
        app = ProxyApp(server, self.upstream, controls)
        super().__init__(server, reactor, app)


def _whole_target(request: Request) -> bytes:
    return request.target
