"""What the process of the servers has open, for each test that asked for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IListeningPort, IReactorTCP, IReactorTime

from nbtwisted import steady_clock
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.model.fault_port import FaultPort
from nbtwisted.server.ports.fault_ports import FaultPorts
from nbtwisted.testing.with_rules import server_with_rules

__all__ = ["JOURNAL_SIZE", "Opened", "OpenedServer"]

JOURNAL_SIZE = 10_000
"""Requests that each server remembers: tests may look at more than operators."""

BACKLOG = 1024
HOST = "127.0.0.1"

T = TypeVar("T", bound=DelayServer)


class Opened(ABC):
    """A server or a proxy with its ports; raises `ValueError` for its settings."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._listening: list[IListeningPort] = []

    def _listen(self, factory: Any) -> int:
        """Listen on a free port; returns its number."""
        listening: Any = IReactorTCP(self._reactor).listenTCP(
            0, factory, BACKLOG, interface=HOST
        )
        self._listening.append(listening)
        port: int = listening.getHost().port
        return port

    def _server(self, kind: type[T], **settings: Any) -> T:
        return server_with_rules(
            kind,
            clock=IReactorTime(self._reactor),
            journal_size=JOURNAL_SIZE,
            # The gaps between requests are measured by the journal's times.
            unix_time=steady_clock.now,
            **settings,
        )

    @abstractmethod
    def open(self) -> Deferred[dict[str, Any]]:
        """Open the ports; fires with them, as JSON values."""

    def close(self) -> None:
        """Close the ports, and all connections."""
        for each in self._listening:
            each.stopListening()


class OpenedServer(Opened):
    """A server with the settings of `server_with_rules`."""

    def __init__(self, reactor: Any, **settings: Any) -> None:
        super().__init__(reactor)
        server = self._server(DelayServer, **settings)
        self._site = DelaySite(server, reactor)
        self._fault_ports = FaultPorts(reactor, self._site, server.fault_ports)

    def open(self) -> Deferred[dict[str, Any]]:
        """Open the port; fires with it, as JSON values."""
        return succeed({"port": self._listen(self._site)})

    def open_fault_port(self, kind: str) -> FaultPort:
        """Open another port, whose connections fail; raises `CannotOpen`."""
        return self._fault_ports.open(kind)

    def close(self) -> None:
        """Close the ports, and all connections."""
        super().close()
        self._fault_ports.close()
        self._site.abort_connections()
