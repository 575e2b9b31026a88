"""The jobs of a list that an earlier run has left over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

from twisted.internet.interfaces import IDelayedCall

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job
from nbtwisted.client.many.job_list import Jobs, nothing

__all__ = ["Unanswered"]

T = TypeVar("T")

_AT_ONCE = 500
"""Jobs that are passed over in one turn of the reactor: some milliseconds."""

_AT_THE_END = 100_000
"""Jobs that are looked at by `rest`, in one turn: whoever stops a run does not wait."""


class Unanswered:
    """Those of `jobs` for which `is_answered` is false.

    `is_answered` is called with each job and its position in the list, in their order.
    Where it raises `failure`, the list ends, and `error` is what was raised.
    """

    def __init__(
        self,
        reactor: Any,
        jobs: Jobs,
        is_answered: Callable[[int, Job | BadJob], bool],
        failure: type[Exception],
    ) -> None:
        self.on_more: Callable[[], None] = nothing
        self.error: Exception | None = None
        self.length = 0
        """How many jobs the list has, as far as it was read."""
        self._reactor = reactor
        self._jobs = jobs
        jobs.on_more = self._go_on
        self._is_answered = is_answered
        self._failure = failure
        self._taken = 0
        # Of those that were taken and have not ended: where they stand in the list.
        self._positions: dict[int, int] = {}
        self._next_turn: IDelayedCall | None = None

    @property
    def is_over(self) -> bool:
        """As all have it."""
        return self.error is not None or self._jobs.is_over

    def take(self) -> Job | BadJob | None:
        """As all have it. There is none yet where many are passed over."""
        if self._next_turn is not None:
            return None
        for _ in range(_AT_ONCE):
            if self.error is not None:
                return None
            job = self._jobs.take()
            if job is None or self._is_left(job):
                return job
        self._next_turn = self._reactor.callLater(0, self._take_turn)
        return None

    def rest(self) -> Iterator[Job | BadJob]:
        """As all have it, of the next hundred thousand of the list."""
        for job in islice(self._jobs.rest(), _AT_THE_END):
            if self.error is None and self._is_left(job):
                yield job

    def close(self) -> None:
        """As all have it."""
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self._jobs.close()

    def position_of_last(self) -> int:
        """Where the job that was taken last stands in the list; it is asked for once.

        It is for who has no use for `begun` and `ended`.
        """
        return self._positions.pop(self._taken - 1)

    def begun(
        self, begin: Callable[[int, T], None] | None
    ) -> Callable[[int, T], None] | None:
        """The same function, for who knows the positions of these jobs alone."""
        if begin is None:
            return None
        return lambda number, begun: begin(self._positions[number], begun)

    def ended(self, end: Callable[[int, T], None]) -> Callable[[int, T], None]:
        """The same; each job ends once."""
        return lambda number, ended: end(self._positions.pop(number), ended)

    def _is_left(self, job: Job | BadJob) -> bool:
        """Take the next job of the list."""
        position, self.length = self.length, self.length + 1
        try:
            if self._is_answered(position, job):
                return False
        except self._failure as error:
            self.error = error
            return False
        self._positions[self._taken] = position
        self._taken += 1
        return True

    def _take_turn(self) -> None:
        self._next_turn = None
        self._go_on()

    def _go_on(self) -> None:
        self.on_more()
