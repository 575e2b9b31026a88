"""A request's body that is read no faster than `_read` has it.

Bytes that have come wait here until they are due. While any wait, the transport is
paused, and its reads are no larger than is read at a time. That alone would not reach
the client: the kernel takes 128 KiB for a program that does not read, or MBs if it read
fast before. So the kernel's buffer is made small as long as the body is read.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from nbtwisted.server.http1.delivery import innermost
from nbtwisted.server.model.body import PIECE
from nbtwisted.server.model.pace import PIECES_A_SECOND

__all__ = ["SlowReading"]

SMALLEST_BUFFER, LARGEST_BUFFER = 4 * 1024, 256 * 1024
"""Bytes: bounds of what the kernel is asked to buffer."""

SECONDS_BUFFERED = 0.5
"""How long it takes to read what the kernel buffers. With 0.2 s, TCP opens its window
too late: a client then sends at 0.6 to 0.9 of the rate."""


class SlowReading:
    """Hands bytes on at a rate.

    waiting   the bytes that have come and are not handed on

    `rate` is in bytes a second. `read` is called with each piece when it is due, and
    may `end` this.
    """

    __slots__ = (
        *("_due", "_piece", "_rate", "_reactor", "_read", "_restore", "_timer"),
        "waiting",
    )

    def __init__(
        self,
        transport: Any,
        rate: float,
        reactor: IReactorTime,
        read: Callable[[bytes], None],
    ) -> None:
        self._rate = rate
        self._piece = int(min(max(rate / PIECES_A_SECOND, 1), PIECE))
        self._reactor = reactor
        self._read = read
        self._due = reactor.seconds()
        self._timer: IDelayedCall | None = None
        self._restore = _read_in_pieces(innermost(transport), rate, self._piece)
        self.waiting = bytearray()

    def take(self, data: bytes) -> None:
        """Take bytes that have come."""
        self.waiting += data
        if self.waiting and self._timer is None:
            self._wait()

    def end(self) -> bytes:
        """Leave no timer; returns what was not handed on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._restore()
        return bytes(self.waiting)

    def _wait(self) -> None:
        now = self._reactor.seconds()
        size = min(self._piece, len(self.waiting))
        # Delays of the timers do not add up; a client that paused makes up for nothing.
        begins = max(self._due, now - 1 / PIECES_A_SECOND)
        self._due = begins + size / self._rate
        self._timer = self._reactor.callLater(
            max(self._due - now, 0.0), self._hand_on, size
        )

    def _hand_on(self, size: int) -> None:
        self._timer = None
        piece = bytes(self.waiting[:size])
        del self.waiting[:size]
        if self.waiting:
            self._wait()
        self._read(piece)


def _read_in_pieces(transport: Any, rate: float, piece: int) -> Callable[[], None]:
    """Have a transport read so much at a time; returns what undoes that."""
    connection = getattr(transport, "socket", None)
    if connection is None:
        return lambda: None
    size, transport.bufferSize = transport.bufferSize, piece
    buffer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    _set_buffer(connection, _small_buffer(connection, rate))

    def restore() -> None:
        transport.bufferSize = size
        # Linux tells twice of what it was asked for.
        _set_buffer(connection, buffer // 2)

    return restore


def _small_buffer(connection: socket.socket, rate: float) -> int:
    smallest = SMALLEST_BUFFER
    # A UNIX socket has no segments. Those of loopback are of 64 KiB, and where a window
    # is smaller than one, the client's kernel waits for seconds.
    with suppress(OSError):
        segment = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        smallest = max(smallest, segment // 2)
    return int(min(max(rate * SECONDS_BUFFERED, smallest), LARGEST_BUFFER))


def _set_buffer(connection: socket.socket, size: int) -> None:
    # It may be closed by now.
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
