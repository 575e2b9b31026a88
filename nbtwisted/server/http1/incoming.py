"""The body of a request that is passed on while it arrives."""

from __future__ import annotations

from collections.abc import Callable

from nbtwisted.server.http1.framing import Head, RequestReader
from nbtwisted.server.model.headers import Lines
from nbtwisted.server.model.request import Receiver

__all__ = ["IncomingBody"]


class IncomingBody:
    """Gives pieces of the body behind a `head` as they are here, from a `reader`.

    `first` has been read already. `on_change` is called when `wants` may have changed.
    """

    __slots__ = (
        *("_first", "_head", "_is_over", "_is_paused", "_on_change", "_reader"),
        *("_receiver", "_trailers"),
    )

    def __init__(
        self,
        reader: RequestReader,
        head: Head,
        first: bytes,
        on_change: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._head = head
        self._first = first
        self._on_change = on_change
        self._receiver: Receiver | None = None
        self._is_paused = False
        self._is_over = False
        self._trailers: Lines | None = None
        """Of a body that was read before anybody took it."""

    @property
    def length(self) -> int | None:
        """As every incoming body's."""
        return self._head.length

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
        if self._trailers is not None and self._receiver is not None:
            self._receiver = None
            receiver.end(self._trailers)
            return
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

    def read_on(self) -> bool:
        """Give what is here, as long as it is wanted; returns whether it is whole now.

        Raises `BadRequest`.
        """
        reader = self._reader
        while self.wants and reader.left:
            piece, is_last = reader.next_piece(self._head)
            if piece and self._receiver is not None:
                self._receiver.take(piece)
            if is_last or reader.has_stopped or not piece:
                return is_last
        return False

    def end(self) -> None:
        """All of it was given."""
        receiver, self._receiver, self._is_over = self._receiver, None, True
        if receiver is not None:
            receiver.end(self._reader.trailers)
        else:
            self._trailers = self._reader.trailers
