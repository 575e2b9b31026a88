"""How the requests of a run are sent: by this process, unless by others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from nbtwisted.client.many.gathering import gather
from nbtwisted.client.many.job_list import Jobs
from nbtwisted.client.many.unanswered import Unanswered
from nbtwisted.client.options.get import Options
from nbtwisted.client.request.getting import Getter
from nbtwisted.client.request.request import Request
from nbtwisted.client.result import Result
from nbtwisted.client.results.answers import Answers
from nbtwisted.client.results.ended import Ended, how_it_ended
from nbtwisted.client.running.complaining import complain

__all__ = ["AHEAD", "Begun", "FromHere", "Sending", "Taker", "expect_tls_files"]

AHEAD = 1000
"""Responses that may be held back for one that was asked for before them."""

BAD_FILE = 58
"""curl's exit code for a certificate or key that cannot be used."""

Begun = Callable[[int, Request], None]


class Taker(Protocol):
    """Who takes what comes of requests."""

    def take(self, index: int, what: tuple[Ended, Any]) -> None:
        """The request at this position of the list has ended.

        What it is told is how, and what `Sending.write` writes of it.
        """

    def flush(self) -> None:
        """Have written what was taken, if it was bytes."""

    def stop_writing(self, error: OSError) -> None:
        """What was to be written elsewhere cannot be."""


class Sending(Protocol):
    """How the requests of a run are sent."""

    def start(
        self, reactor: Any, jobs: Jobs, taker: Taker, begun: Begun | None
    ) -> Deferred[None]:
        """Do all jobs; fires when they have ended, and are interrupted if cancelled."""

    def write(self, answers: Answers, index: int, what: Any) -> None:
        """Write what was taken of a request."""

    def postpone(self, seconds: float) -> None:
        """For so long, this process could not read."""


@contextmanager
def expect_tls_files() -> Iterator[None]:
    """Exit, and say why, if certificates or keys cannot be used that are read here."""
    try:
        yield
    except OSError as error:
        complain(f"error: cannot read {error.filename}: {error.strerror}")
        raise SystemExit(BAD_FILE) from None
    except ValueError as error:
        complain(f"error: {error}")
        raise SystemExit(BAD_FILE) from None


class FromHere:
    """This process sends them, `concurrency` of them at once."""

    def __init__(self, options: Options, concurrency: int) -> None:
        self._options = options
        self._concurrency = concurrency
        self._getter: Getter | None = None

    def start(
        self, reactor: Any, jobs: Jobs, taker: Taker, begun: Begun | None
    ) -> Deferred[None]:
        """As all have it; raises `SystemExit` for files of TLS that cannot be used."""
        options, fail = self._options, self._options.fail
        with expect_tls_files():
            getter = Getter(
                reactor,
                connections=self._concurrency,
                more_to_come=options.number
                > min(self._concurrency, options.per_host or math.inf),
                **options.how,
            )
        self._getter = getter
        take: Callable[[int, tuple[Ended, Any]], None] = taker.take
        if isinstance(jobs, Unanswered):
            take, begun = jobs.ended(take), jobs.begun(begun)

        def deliver(index: int, result: Result) -> None:
            take(index, (how_it_ended(result, fail=fail), result))

        return gather(
            getter,
            jobs,
            concurrency=self._concurrency,
            per_host=options.per_host,
            deliver=deliver,
            begun=begun,
            # What is done before its turn is kept in memory.
            ahead=max(AHEAD, 2 * self._concurrency)
            if options.in_input_order
            else math.inf,
        )

    def write(self, answers: Answers, index: int, what: Result) -> None:
        """As all have it."""
        answers.write(index, what)

    def postpone(self, seconds: float) -> None:
        """As all have it: this is nothing to the deadlines of the requests.

        A slow reader of ours must not make responses late that came in time.
        """
        assert self._getter is not None, "a result without a request"
        self._getter.deadlines.postpone(seconds)
