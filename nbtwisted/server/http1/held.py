"""A request that waits for its answer on the fast channel, with one timer."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from nbtwisted.server.engine.ready import Ready
from nbtwisted.server.http1.known import Known, fill_in

if TYPE_CHECKING:
    from nbtwisted.server.http1.wire import Wire

__all__ = ["Held"]


class Held:
    """A request that is known, and waits for its answer."""

    __slots__ = (
        *("_answer", "_began", "_known", "_timer", "_wire"),
        *("entry", "is_aborted", "is_released", "is_stalled"),
    )

    def __init__(self, wire: Wire, known: Known, answer: Ready, began: float) -> None:
        self._wire = wire
        self._known = known
        self._answer = answer
        self._began = began
        self._timer: IDelayedCall | None = None
        self.entry = replace(known.entry, came=time.time(), peer=wire.peer)
        self.entry.asked = answer.asked
        self.is_released = False
        self.is_aborted = False
        self.is_stalled = False

    def wait(self) -> None:
        """Answer when it is time."""
        if self._answer.asked:
            clock = self._wire.site.traffic.performer.clock
            self._timer = clock.callLater(self._answer.asked, self._on_time)
        else:
            self._send()

    @property
    def transport(self) -> Any:
        """Of its connection."""
        return self._wire.transport

    def make_last(self) -> None:
        """Have the connection closed when the answer is sent."""
        self._wire.persistent = False

    def abort(self) -> None:
        """Break the connection off."""
        self.is_aborted = True
        self.transport.abortConnection()

    def release(self) -> None:
        """Answer at once."""
        self.is_released = True
        assert self._timer is not None
        self._timer.cancel()
        self._on_time()

    def connectionLost(self, reason: Failure) -> None:
        """The client has left, and its timer goes with it."""
        if self._timer is not None:
            self._timer.cancel()
        self._wire.site.traffic.end(self)

    def _on_time(self) -> None:
        self._timer = None
        self._send()

    def _send(self) -> None:
        wire, entry = self._wire, self.entry
        site = wire.site
        entry.held = site.traffic.performer.now() - self._began
        fill_in(entry, self._answer)
        sent = self._answer.at(entry.held, site.date(time.time()))
        if not wire.persistent and self._known.head.is_persistent:
            # An HTTP/1.0 client was to be told that it is kept.
            before, _, rest = sent.partition(b"\r\n")
            rest = rest.removeprefix(b"Connection: keep-alive\r\n")
            sent = before + b"\r\nConnection: close\r\n" + rest
        wire.send(sent)
        site.traffic.end(self)
        wire.requestDone(self)
