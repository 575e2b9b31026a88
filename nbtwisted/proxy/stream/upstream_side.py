"""The connection of a link to the upstream, which is opened first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from nbtwisted.client.errors import RequestError
from nbtwisted.proxy.stream.side import LinkOfSides, Side

if TYPE_CHECKING:
    from nbtwisted.client.connection.opening import Opening
    from nbtwisted.client.connection.tls import Handshake

__all__ = ["UpstreamSide"]


class UpstreamSide(Side):
    """The connection to the upstream, which is opened first.

    With a `handshake` it is TLS.
    """

    def __init__(self, link: LinkOfSides, handshake: Handshake | None) -> None:
        super().__init__("upstream", link)
        self.opening: Opening | None = None
        self._handshake = handshake
        self._error: RequestError | None = None

    @property
    def listener(self) -> UpstreamSide:
        """Told that there are addresses."""
        return self

    def host_resolved(self) -> None:
        """There are addresses to connect to."""

    def could_not_open(self, error: RequestError | None) -> None:
        """There is no connection, for this reason or because nobody wants it."""
        self.opening = None
        self.is_gone = True
        if error is not None:
            self._link.upstream_failed(error)

    def give_up(self) -> None:
        """Open it no more; reset it, if it is open."""
        opening, self.opening = self.opening, None
        if opening is not None:
            opening.stop()
            self.is_gone = True
        elif self.transport is not None:
            self.abort()
        else:
            self.is_gone = True

    def connectionMade(self) -> None:
        """Be ready, or shake hands first."""
        self.opening = None
        super().connectionMade()

    def _be_open(self) -> None:
        if self._handshake is not None and not self._is_tls:
            self._is_tls = True
            self.transport.startTLS(self._handshake)
        else:
            super()._be_open()

    def handshakeCompleted(self) -> None:
        """Be ready, if the certificate is for this host."""
        assert self._handshake is not None
        try:
            self._handshake.check_name(self.transport.getHandle())
        except RequestError as error:
            error.forget_frames()
            self._error = error
            self.abort()
        else:
            self._be_open()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is no more: perhaps it has never been ready."""
        if self.was_open or self._handshake is None:
            super().connectionLost(reason)
        else:
            self.is_gone = True
            self._link.upstream_failed(
                self._error or self._handshake.error(reason.value)
            )
