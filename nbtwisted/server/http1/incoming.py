"""The body of a request that is passed on while it arrives."""

from __future__ import annotations

from collections.abc import Callable

from nbtwisted.server.http1.framing import Head
from nbtwisted.server.model.headers import Lines
from nbtwisted.server.model.request import Receiver

__all__ = ["IncomingBody"]


class IncomingBody:
    """Gives pieces of a body as its connection reads them.

    head     the head before it
    wants    whether it takes a piece now

    `first` has come already. `on_change` is called when `wants` may have changed.
    """

    __slots__ = ("_first", "_is_over", "_is_paused", "_on_change", "_receiver", "head")

    def __init__(self, head: Head, first: bytes, on_change: Callable[[], None]) -> None:
        self.head = head
        self._first = first
        self._on_change = on_change
        self._receiver: Receiver | None = None
        self._is_paused = False
        self._is_over = False

    @property
    def length(self) -> int | None:
        """As every incoming body's."""
        return self.head.length

    @property
    def wants(self) -> bool:
        """Whether it takes a piece now."""
        return self._receiver is not None and not (self._is_paused or self._is_over)

    def start(self, receiver: Receiver) -> None:
        """As every incoming body's."""
        self._receiver = receiver
        if self._first:
            first, self._first = self._first, b""
            receiver.take(first)
        self._on_change()

    def pause(self) -> None:
        """As every incoming body's."""
        self._is_paused = True
        self._on_change()

    def resume(self) -> None:
        """As every incoming body's."""
        self._is_paused = False
        self._on_change()

    def stop(self) -> None:
        """As every incoming body's."""
        self._is_over = True
        self._receiver = None

    def take(self, piece: bytes) -> None:
        """Its connection has read a piece."""
        if self._receiver is not None and piece:
            self._receiver.take(piece)

    def end(self, trailers: Lines) -> None:
        """Its connection has read all of it."""
        receiver, self._receiver, self._is_over = self._receiver, None, True
        if receiver is not None:
            receiver.end(trailers)
