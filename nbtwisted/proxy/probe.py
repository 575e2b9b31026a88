"""One attempt to reach the upstream, so that a wrong place is told at the start."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
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


class _State(Enum):
    CONNECTING = "connecting"
    SHAKING_HANDS = "in the handshake of TLS"
    PARTING = "closing what was there"
    """TLS has a goodbye, to which the upstream may say nothing."""
    OVER = "over"


@implementer(IHandshakeListener)
class Probe(Protocol):
    """Opens a connection, and closes it as soon as it is there.

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
        self._seconds = seconds
        self._complain = complain
        self.listener = self
        """Whoever is told that the host has addresses; an `Opening` wants one."""
        self._state = _State.CONNECTING
        self._deadline: IDelayedCall = reactor.callLater(seconds, self._too_late)
        self._opening = Opening(reactor, self, port)
        self._opening.begin(Resolver(reactor).resolve(host).addCallback(interleaved))

    def stop(self) -> None:
        """Try no longer."""
        if self._state is not _State.OVER:
            self._give_up()

    def host_resolved(self) -> None:
        """The host has addresses."""

    def connectionMade(self) -> None:
        """It can be reached."""
        if self._handshake is None:
            self._part()
        else:
            self._state = _State.SHAKING_HANDS
            self.transport.startTLS(self._handshake)

    def handshakeCompleted(self) -> None:
        """It speaks TLS, and has a certificate that can be trusted."""
        assert self._handshake is not None
        try:
            self._handshake.check_name(self.transport.getHandle())
        except RequestError as error:
            error.forget_frames()
            self._complain(error)
        self._part()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is no more, perhaps because the handshake failed."""
        was = self._state
        self._end()
        if was is _State.SHAKING_HANDS:
            assert self._handshake is not None
            self._complain(self._handshake.error(reason.value))

    def could_not_open(self, error: RequestError | None) -> None:
        """It cannot be reached."""
        self._end()
        if error is not None:
            self._complain(error)

    def _part(self) -> None:
        self._state = _State.PARTING
        self.transport.loseConnection()

    def _too_late(self) -> None:
        was = self._state
        self._give_up()
        if was is not _State.PARTING:
            what = "connection" if was is _State.CONNECTING else "handshake of TLS"
            self._complain(ConnectTimeout(f"no {what} within {self._seconds:g} s"))

    def _give_up(self) -> None:
        was = self._state
        self._end()
        if was is _State.CONNECTING:
            self._opening.stop()
        else:
            self.transport.abortConnection()

    def _end(self) -> None:
        self._state = _State.OVER
        if self._deadline.active():
            self._deadline.cancel()
