"""A proxy as its options have it: what all of its kinds have beside their own ports."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.interfaces import IListeningPort, IReactorTime

from nbtwisted.client.connection.pool import TLSOptions
from nbtwisted.client.errors import RequestError
from nbtwisted.client.target import Origin
from nbtwisted.proxy.listed_streams import ListedStreams
from nbtwisted.proxy.operators import LinkedServer
from nbtwisted.proxy.options import NO_PORT, ProxyOptions, has_tls
from nbtwisted.proxy.probe import Probe
from nbtwisted.proxy.toxiproxy.api import ToxiproxyAPI
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.listening import lets_others_in, on_loopback
from nbtwisted.server.routes.delay_app import OperatorsApp
from nbtwisted.server.service.errors import CannotServe
from nbtwisted.server.service.opening import listen_at, place
from nbtwisted.server.service.options import tcp_endpoint
from nbtwisted.server.service.service import Service

__all__ = ["Proxying", "usable_files"]

LOOPBACK = "127.0.0.1"


class Proxying(Service):
    """A proxy that drains before it stops, with ports for operators and for an API.

    `settings` are those of the server that the options do not have.
    """

    kind: type[LinkedServer] = LinkedServer
    options: ProxyOptions
    server: LinkedServer

    def __init__(
        self,
        options: ProxyOptions,
        reactor: Any,
        say: Callable[[str], None],
        **settings: Any,
    ) -> None:
        super().__init__(
            options, reactor, say, vocabulary=options.vocabulary, **settings
        )

    async def open(self) -> list[str]:
        """Open all ports; returns sentences that say where. Raises `CannotServe`."""
        said = [
            *await self._open_ports(),
            *await self._open_for_operators(),
            *await self._open_api(),
        ]
        self._probe()
        return said

    @abstractmethod
    async def _open_ports(self) -> list[str]:
        """Open the ports of clients; returns sentences. Raises `CannotServe`."""

    async def _open_for_operators(self) -> list[str]:
        number = self.options.admin_port
        if number == NO_PORT:
            return []
        clock = IReactorTime(self._reactor)
        site = DelaySite(self.server, clock, OperatorsApp(self.server))
        named = self.options.named_by["admin_port"]
        port = await listen_at(
            self._reactor, tcp_endpoint(LOOPBACK, number), site, named
        )
        return [f"operators at {place('http', '', port.getHost())}__admin/live"]

    async def _open_api(self) -> list[str]:
        if self.options.toxiproxy_api is None:
            return []
        # Whoever may use it opens ports, and connects to whatever it is told.
        description = on_loopback(self.options.toxiproxy_api)
        allow_remote = lets_others_in(description)
        api = ToxiproxyAPI(
            self._reactor,
            seed=self.server.seed,
            allow_remote=allow_remote,
            streams=ListedStreams(
                self._reactor, self.server, allow_remote=allow_remote
            ),
        )
        self.server.show_links()
        named = self.options.named_by["toxiproxy_api"]
        port = await listen_at(self._reactor, description, api.site(), named)
        self._reactor.addSystemEventTrigger("during", "shutdown", api.stop)
        return [f"Toxiproxy's API at {place('http', description, port.getHost())}"]

    @property
    def _tls(self) -> TLSOptions:
        """Whom to trust as the upstream."""
        options = self.options
        return {"verify": not options.insecure, "authorities": options.cacert}

    def _over_tls(self, factory: Any) -> Any:
        """The factory of clients' connections, over TLS if that is asked for.

        Raises `OSError` and `ValueError` for files that cannot be used.
        """
        options = self.options
        if options.tls_cert is None:
            return factory
        # It takes 60 ms to import, which only those spend who use it.
        from nbtwisted.proxy.stream.certificate import in_tls

        return in_tls(factory, options.tls_cert, options.tls_key, self._reactor)

    def _sentence(
        self, scheme: str, with_tls: str, description: str, port: IListeningPort
    ) -> str:
        """Says what leads where."""
        where = self._place(scheme, with_tls, description, port)
        return f"proxying {where} to {self.server.upstream}"

    def _place(
        self, scheme: str, with_tls: str, description: str, port: IListeningPort
    ) -> str:
        is_tls = self.options.tls_cert is not None or has_tls(description)
        return place(with_tls if is_tls else scheme, description, port.getHost())

    def _probe(self) -> None:
        """Warn of an upstream that cannot be reached, as soon as that is known.

        Raises `CannotServe`.
        """
        upstream = self.options.upstream

        def complain(error: RequestError) -> None:
            self._say(f"warning: {self.server.upstream} cannot be reached: {error}")

        if upstream is not None:
            handshake = None
            if upstream.is_tls:
                from nbtwisted.client.connection.tls import TLS  # 60 ms, with OpenSSL

                protocols = (b"http/1.1",) if isinstance(upstream, Origin) else ()
                with usable_files():
                    tls = TLS(**self._tls, protocols=protocols)
                handshake = tls.handshake(upstream.host)
            probe = Probe(
                *(self._reactor, upstream.host, upstream.port),
                handshake=handshake,
                seconds=self.options.upstream_timeout,
                complain=complain,
            )
            self._reactor.addSystemEventTrigger("before", "shutdown", probe.stop)


@contextmanager
def usable_files() -> Iterator[None]:
    """Raise `CannotServe` for a file of a certificate that cannot be used."""
    try:
        yield
    except OSError as error:
        raise CannotServe(f"cannot read {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise CannotServe(str(error)) from None
