"""From addresses to a connection, by `reactor.connectTCP`."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IAddress, IConnector, IReactorTCP
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from nbtwisted.client.errors import ConnectFailed
from nbtwisted.client.protocol import GetProtocol

__all__ = ["connect"]


async def connect(
    reactor: IReactorTCP, addresses: Sequence[str], port: int, protocol: GetProtocol
) -> None:
    """Connect `protocol` to the first of `addresses` that takes it.

    To be cancelled is to stop the attempt that is under way.

    Raises `ConnectFailed`, which says for each address why.
    """
    failures = []
    for address in addresses:
        attempt = _Attempt(protocol)
        # No timer of connectTCP's own: who calls this has a deadline for all of it.
        reactor.connectTCP(address, port, attempt, timeout=None)  # type: ignore[arg-type]
        try:
            await attempt.connected
        except ConnectError as error:
            failures.append(f"{address} port {port}: {_cause(error)}")
        else:
            return
    raise ConnectFailed("; ".join(failures))


class _Attempt(ClientFactory):
    """One attempt at one address."""

    noisy = False

    def __init__(self, protocol: GetProtocol) -> None:
        self.connected: Deferred[None] = Deferred(lambda _: self._give_up())
        self._protocol = protocol
        self._connector: IConnector | None = None

    def startedConnecting(self, connector: IConnector) -> None:
        self._connector = connector

    def buildProtocol(self, addr: IAddress | None) -> GetProtocol:
        self._protocol.on_connected = lambda: self.connected.callback(None)
        return self._protocol

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        # Giving up is reported as a failure as well, to nobody.
        if self._connector is not None:
            self.connected.errback(reason)

    def _give_up(self) -> None:
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.stopConnecting()


def _cause(error: ConnectError) -> str:
    number = error.osError
    if isinstance(number, int):
        return os.strerror(number)
    # Such as when the process ends; Twisted's text for it is a page long.
    return type(error).__name__
