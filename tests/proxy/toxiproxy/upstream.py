"""An upstream that does what each line of its client says.

ECHO text   sends the text, as a line
SEND n      sends n bytes
TAKE n      takes n bytes that follow, and then sends `taken n`
CLOSE       closes the connection
"""

from __future__ import annotations

from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

__all__ = ["Obeying", "ObeyingFactory"]


class Obeying(LineReceiver):
    """A connection that obeys."""

    delimiter = b"\n"
    _to_take = 0
    _taken = 0

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
    """Makes them."""

    protocol = Obeying
    noisy = False
