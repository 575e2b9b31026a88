"""The progress of written bytes to the client's machine."""

from __future__ import annotations

import select
import struct
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import Any

__all__ = ["Delivery", "has_left", "innermost"]


class Delivery:
    """Follows how the bytes that are written to a connection get to the client.

    written    bytes that were handed to the transport
    """

    __slots__ = ("_delivered", "_since", "written")

    def __init__(self) -> None:
        self.written = 0
        self._delivered = 0
        self._since: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the client's machine had all bytes at the last look."""
        return self._delivered == self.written

    def look(self, transport: Any, now: float) -> float:
        """Seconds for which the client has taken nothing; 0 if nothing waits for it.

        `now` is a reading, in seconds, of a clock that never goes back.
        """
        if self._since is None or self._delivered == self.written:
            self._since = now
        if self._delivered == self.written:
            return 0.0
        delivered = self.written - _unacknowledged(transport)
        if delivered > self._delivered:
            self._delivered, self._since = delivered, now
        elif delivered < self._delivered:
            # TLS adds bytes of its own to what waits.
            self._delivered = delivered
        return now - self._since


def has_left(transport: Any) -> bool:
    """Whether the client has closed or reset the connection.

    A paused transport misses disconnects; this asks the kernel.
    """
    connection = getattr(innermost(transport), "socket", None)
    if connection is None:
        return False
    poll = select.poll()
    poll.register(connection, getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(0))


def _unacknowledged(transport: Any) -> int:
    """Bytes that wait in the transport or, where the kernel tells, for the client.

    Private names of Twisted's, with 24.11.0 and 26.10.0: `_tempDataLen`.
    """
    transport = innermost(transport)
    connection = getattr(transport, "socket", None)
    if connection is None:
        return 0
    waiting: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    try:
        # Linux calls it SIOCOUTQ, too: bytes that were not sent or not acknowledged.
        (unsent,) = struct.unpack("i", ioctl(connection, TIOCOUTQ, b"\0" * 4))
    except (OSError, ValueError):
        return waiting
    return waiting + int(unsent)


def innermost(transport: Any) -> Any:
    """The transport that has the socket: TLS and PROXY wrap it."""
    while getattr(transport, "transport", None) is not None:
        transport = transport.transport
    return transport
