"""TCP connections that take less time to write to.

twisted.web writes the head of an answer as some twenty pieces, and asks for the address
of the connection once for each request. Twisted's `writeSequence` calls a function for
each piece, its `write` goes through five, and `getHost` asks the kernel: together, a
tenth of the time of a small answer. Twisted makes its own connections, and a reactor
that sends at once has them become these when they begin to read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet import abstract, tcp
from twisted.internet.interfaces import IAddress

__all__ = ["quicken"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
# FileDescriptor: _tempDataBuffer, _tempDataLen, _writeDisconnected

if TYPE_CHECKING:
    _Base = tcp.Connection
else:
    _Base = object


class _Quick(_Base):
    """Does what Twisted's do, at a lower price where nothing is special."""

    def write(self, data: bytes) -> None:
        """Write some bytes, in the turn that this connection will have to send."""
        if self.TLS or data.__class__ is not bytes:
            super().write(data)
        elif data and self.connected and not self._writeDisconnected:
            self._tempDataBuffer.append(data)
            self._tempDataLen += len(data)
            if self.producer is not None:
                size = len(self.dataBuffer) + self._tempDataLen
                if size > self.bufferSize:
                    self._maybePauseProducer()
            self.reactor.addWriter(self)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Write some pieces, likewise."""
        if (
            self.TLS
            or iovec.__class__ not in _SEQUENCES
            or set(map(type, iovec)) != _ONLY_BYTES
        ):
            super().writeSequence(iovec)
        elif self.connected and not self._writeDisconnected:
            self._tempDataBuffer.extend(iovec)
            self._tempDataLen += sum(map(len, iovec))
            if self.producer is not None:
                size = len(self.dataBuffer) + self._tempDataLen
                if size > self.bufferSize:
                    self._maybePauseProducer()
            self.reactor.addWriter(self)

    def getHost(self) -> IAddress:
        """The address of this end, which stays the same while it is connected."""
        host = self._host
        if host is None or not self.connected:
            host = super().getHost()
            if self.connected:
                self._host = host
        return host

    def getPeer(self) -> IAddress:
        """The address of the other end, likewise."""
        peer = self._peer
        if peer is None:
            peer = self._peer = super().getPeer()
        return peer

    _host: IAddress | None = None
    _peer: IAddress | None = None


_SEQUENCES, _ONLY_BYTES = (list, tuple), {bytes}


class Server(_Quick, tcp.Server):
    """A connection that was accepted."""


class Client(_Quick, tcp.Client):
    """A connection that was made."""


_QUICK: dict[type, type] = {tcp.Server: Server, tcp.Client: Client}

_METHODS = [
    (kind, name, getattr(kind, name))
    for kind in (tcp.Server, tcp.Client)
    for name in ("write", "writeSequence", "getHost", "getPeer")
] + [
    (abstract.FileDescriptor, name, getattr(abstract.FileDescriptor, name))
    for name in ("write", "writeSequence", "startWriting")
]


def quicken(connection: Any) -> None:
    """Make a connection of Twisted's one of these, unless its methods are patched."""
    quick = _QUICK.get(connection.__class__)
    if quick is not None and all(
        getattr(kind, name) is method for kind, name, method in _METHODS
    ):
        connection.__class__ = quick
