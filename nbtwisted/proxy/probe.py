"""One attempt to reach the upstream, so that a wrong place is told at the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from nbtwisted.client.connection.opening import Opening, interleaved
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.errors import ConnectTimeout, RequestError

if TYPE_CHECKING:
    from nbtwisted.client.connection.tls import Handshake

__all__ = ["Probe"]


@implementer(IHandshakeListener)
class Probe(Protocol):
    """A connection that is closed as soon as it is there.

    It is tried at once; with a `handshake` it is TLS. `complain` is called with the
    error if there is none in so many `seconds`.
    """

    transport: Any

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        *,
        handshake: Handshake | None = None,
        seconds: float,
        complain: Callable[[RequestError], None],
    ) -> None:
        self._handshake = handshake
        self._is_shaken = False
        self._seconds = seconds
        self._complain = complain
        self.listener = self
        """Whoever is told that the host has addresses; an `Opening` wants one."""
        self._deadline: IDelayedCall | None = reactor.callLater(seconds, self._too_late)
        self._opening = Opening(reactor, self, port)
        self._opening.begin(Resolver(reactor).resolve(host).addCallback(interleaved))

    def stop(self) -> None:
        """Try no longer."""
        if self._deadline is not None:
            self._end()
            self._give_up()

    def host_resolved(self) -> None:
        """The host has addresses."""

    def connectionMade(self) -> None:
        """It can be reached."""
        if self._handshake is None:
            self._end()
            self.transport.loseConnection()
        else:
            self.transport.startTLS(self._handshake)

    def handshakeCompleted(self) -> None:
        """It speaks TLS, and has a certificate that can be trusted."""
        assert self._handshake is not None
        self._is_shaken = True
        try:
            self._handshake.check_name(self.transport.getHandle())
        except RequestError as error:
            error.forget_frames()
            self._complain(error)
        # Until the deadline: TLS has a goodbye, to which the upstream may say nothing.
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is no more, perhaps because the handshake failed."""
        if self._deadline is not None:
            assert self._handshake is not None
            self._end()
            if not self._is_shaken:
                self._complain(self._handshake.error(reason.value))

    def could_not_open(self, error: RequestError | None) -> None:
        """It cannot be reached."""
        self._end()
        if error is not None:
            self._complain(error)

    def _too_late(self) -> None:
        self._deadline = None
        self._give_up()
        if self._is_shaken:
            return
        what = "connection" if self.transport is None else "handshake of TLS"
        self._complain(ConnectTimeout(f"no {what} within {self._seconds:g} s"))

    def _give_up(self) -> None:
        if self.transport is None:
            self._opening.stop()
        else:
            self.transport.abortConnection()

    def _end(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()
