"""An upstream that does what each line of its client says.

ECHO text   sends the text, as a line
SEND n      sends n bytes
TAKE n      takes n bytes that follow, and then sends `taken n`
CLOSE       closes the connection
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

__all__ = ["Obeying", "ObeyingFactory"]


class Obeying(LineReceiver):
    """A connection that obeys."""

    delimiter = b"\n"
    factory: Any
    _to_take = 0
    _taken = 0

    def connectionMade(self) -> None:
        self.factory.open.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.open.discard(self)

    def lineReceived(self, line: bytes) -> None:
        command, _, rest = line.partition(b" ")
        assert self.transport is not None
        if command == b"ECHO":
            self.transport.write(rest + b"\n")
        elif command == b"SEND":
            self.transport.write(b"*" * int(rest))
        elif command == b"TAKE":
            self._to_take, self._taken = int(rest), 0
            self.setRawMode()
        else:
            self.transport.loseConnection()

    def rawDataReceived(self, data: bytes) -> None:
        self._taken += len(data)
        if self._taken >= self._to_take:
            assert self.transport is not None
            self.transport.write(b"taken %d\n" % self._taken)
            self.setLineMode()


class ObeyingFactory(Factory):
    """Makes them, and knows those that are open."""

    protocol = Obeying
    noisy = False

    def __init__(self) -> None:
        self.open: set[Obeying] = set()

    def abort_connections(self) -> None:
        """End those that are open."""
        for each in list(self.open):
            transport: Any = each.transport
            transport.abortConnection()
