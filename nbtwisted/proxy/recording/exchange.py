"""An exchange with the upstream, as it is recorded while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from nbtwisted.client.errors import RequestError
from nbtwisted.client.result import Head
from nbtwisted.proxy.recording.entry import Beginning, Passed
from nbtwisted.proxy.recording.memory import Memory
from nbtwisted.server.model.request import Request

__all__ = ["IllegalTransition", "Life", "RecordedExchange"]

OF_AN_EXCHANGE = 4096
"""Bytes that one takes in memory besides its fields and its bodies."""

OF_A_FIELD = 128
"""The same of a field, besides its text."""


class Life(Enum):
    """How far an exchange has come.

    | state | what happens | next |
    |---|---|---|
    | BEGUN | the upstream is asked | ASKED |
    | | it ends, and nothing was asked | OVER |
    | ASKED | the head of the answer is here | ANSWERED |
    | | it ends without | OVER |
    | ANSWERED | it ends | OVER |

    Who is ASKED may be asked again, when a kept connection had been closed: what went
    over that does not count.
    """

    BEGUN = auto()
    ASKED = auto()
    ANSWERED = auto()
    OVER = auto()


class IllegalTransition(Exception):
    """Something was told of an exchange in a state in which it cannot happen."""


class RecordedExchange:
    """Keeps what passes: of each body at most `most` bytes, and what `memory` allows.

    `now` reads Unix time that never steps. `is_over` is told what passed and how many
    bytes of memory that holds, which are then its to release; None if there was no
    room for it. It is not told of what was not asked.
    """

    __slots__ = (
        *("_cost", "_is_lost", "_is_over", "_life", "_memory", "_most", "_now"),
        "_passed",
    )

    def __init__(
        self,
        request: Request,
        url: str,
        *,
        now: Callable[[], float],
        memory: Memory,
        most: int,
        is_over: Callable[[Passed | None, int], None],
    ) -> None:
        self._life = Life.BEGUN
        self._now = now
        self._memory = memory
        self._most = most
        self._is_over = is_over
        self._cost = 0
        self._is_lost = False
        self._passed = Passed(request.method, url, request.version, request.headers)
        fields = request.headers.lines
        size = sum(len(name) + len(value) + OF_A_FIELD for name, value in fields)
        self._take_head(OF_AN_EXCHANGE + len(url) + size)

    def asked(self) -> None:
        """As `nbtwisted.proxy.http.recorder.Recorded` has it, as are all below."""
        self._go("asked", Life.ASKED, Life.BEGUN, Life.ASKED)
        passed = self._passed
        passed.asked_at = self._now()
        if passed.sent.size:
            self._release(len(passed.sent.content))
            passed.sent, passed.sent_at = Beginning(), None

    def request_piece(self, data: bytes) -> None:
        """Bytes of the request's body."""
        self._go("request_piece", self._life, Life.ASKED, Life.ANSWERED)
        self._passed.sent_at = self._now()
        self._keep(self._passed.sent, data)

    def head(self, head: Head) -> None:
        """The head of the answer."""
        self._go("head", Life.ANSWERED, Life.ASKED)
        self._passed.head_at = self._now()
        self._passed.head = head
        fields = head.headers
        self._take_head(
            sum(len(name) + len(value) + OF_A_FIELD for name, value in fields)
        )

    def piece(self, data: bytes) -> None:
        """Bytes of its body."""
        self._go("piece", Life.ANSWERED, Life.ANSWERED)
        self._keep(self._passed.received, data)

    def end(self, error: RequestError | None) -> None:
        """It is over."""
        was_asked = self._life is not Life.BEGUN
        self._go("end", Life.OVER, Life.BEGUN, Life.ASKED, Life.ANSWERED)
        passed = self._passed
        passed.ended_at = self._now()
        if error is not None:
            passed.fail(error)
        if was_asked and not self._is_lost:
            self._is_over(passed, self._cost)
            return
        self._release(self._cost)
        if was_asked:
            self._is_over(None, 0)

    def _go(self, event: str, life: Life, *allowed: Life) -> None:
        if self._life not in allowed:
            raise IllegalTransition(f"{event} of an exchange that is {self._life.name}")
        self._life = life

    def _keep(self, body: Beginning, data: bytes) -> None:
        # What comes behind a gap is no beginning.
        if body.is_whole and not self._is_lost:
            room = self._most - body.size
            taken = self._memory.take(min(len(data), room)) if room > 0 else 0
            self._cost += taken
            body.content += data if taken == len(data) else data[:taken]
        body.size += len(data)

    def _take_head(self, size: int) -> None:
        if self._is_lost:
            return
        if self._memory.take_head(size):
            self._cost += size
            return
        self._is_lost = True
        # What nobody will read is not held.
        passed = self._passed
        passed.head = None
        passed.sent, passed.received = Beginning(), Beginning()
        self._release(self._cost)

    def _release(self, size: int) -> None:
        self._cost -= size
        self._memory.release(size)
