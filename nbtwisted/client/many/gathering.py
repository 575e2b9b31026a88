"""Many requests at once, and no more at once than asked for."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from typing_extensions import Unpack

from nbtwisted.client.errors import BadJob, Interrupted, RequestError
from nbtwisted.client.job import Job
from nbtwisted.client.many.job_list import Given, Jobs
from nbtwisted.client.many.queue import Queue, Ticket
from nbtwisted.client.request.ending import Ending
from nbtwisted.client.request.getting import Getter, How, tell
from nbtwisted.client.request.request import Request
from nbtwisted.client.result import Response, Result
from nbtwisted.client.target import Origin, presentable

__all__ = [
    "DEFAULT_CONCURRENCY",
    "MOST_MARKED",
    "NEVER_SENT",
    "gather",
    "get_all",
    "never_sent",
]

MOST_MARKED = 100_000
"""Jobs that are said to be interrupted when they were never sent: enough to find one's
place, and few enough for who is in a hurry."""

NEVER_SENT = "cancelled before it was sent"
"""What is said of these."""

DEFAULT_CONCURRENCY = 50
"""Requests in flight at once, unless told otherwise; hey and curl -Z have 50 too."""


def gather(
    getter: Getter,
    jobs: Jobs,
    *,
    concurrency: int,
    deliver: Callable[[int, Result], None],
    begun: Callable[[int, Request], None] | None = None,
    per_host: int | None = None,
    ahead: float = math.inf,
    most_marked: int | None = MOST_MARKED,
) -> Deferred[None]:
    """Do each of `jobs`, `concurrency` of them at once, and `per_host` of one host.

    Calls `deliver` with the position of a job in `jobs` and how it ended, in the order
    in which they end; none is begun far `ahead` of one that has not ended, as `Queue`
    has it. Calls `begun`, if that is given, with the position and the request that is
    about to be sent. Fires when all have ended, and no connection is left. Cancelling
    it ends those under way, and those that were not begun, as `Interrupted` (the first
    `most_marked` of these).

    Raises `ValueError` for a number below 1.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency {concurrency}: expected 1 or more")
    queue = Queue(
        jobs, ahead=ahead, per_host=per_host, pacing=getter.pacing, now=getter.now
    )
    gathering = _Gathering(getter, queue, concurrency, deliver, begun, most_marked)
    jobs.on_more = gathering.go_on
    gathering.go_on()
    return gathering.ending.deferred


class _State(enum.Enum):
    """Where a gathering is in its life.

    | state | what happens | where that leads |
    |---|---|---|
    | RUNNING | the queue is over, and nothing is under way | CLOSING |
    | | it is cancelled, or somebody whom it calls fails | STOPPING |
    | STOPPING | nothing is under way | CLOSING |
    | CLOSING | no connection is left: its Deferred fires | |
    """

    RUNNING = enum.auto()
    STOPPING = enum.auto()
    CLOSING = enum.auto()


class _Gathering:
    """Requests under way, and a queue from which others follow them."""

    def __init__(
        self,
        getter: Getter,
        queue: Queue,
        concurrency: int,
        deliver: Callable[[int, Result], None],
        begun: Callable[[int, Request], None] | None,
        most_marked: int | None,
    ) -> None:
        self.ending: Ending[None] = Ending(self._stop)
        self._getter = getter
        self._queue = queue
        self._concurrency = concurrency
        self._deliver = deliver
        self._begun = begun
        self._most_marked = most_marked
        self._queued_at = getter.now()
        # In the order in which they began.
        self._under_way: dict[Request, Ticket] = {}
        # Each would be an object for each request otherwise.
        self._on_end, self._on_ask = self._end, self._ask
        # For what a pace holds, and when it is due.
        self._timer: IDelayedCall | None = None
        self._due = math.inf
        self._is_going_on = False
        self._state = _State.RUNNING
        self._failure: Failure | None = None

    def go_on(self) -> None:
        """Begin as many as may be; and where there is none left, end.

        One loop begins them all, also those whose turn comes when another has ended at
        once: of a thousand that fail, each would stand on the stack of the one before.
        """
        if self._is_going_on or self._state is _State.CLOSING:
            return
        self._is_going_on = True
        wakes_at, queue = math.inf, self._queue
        try:
            # Those that wait for their turn at a host take up no room meanwhile.
            while (
                len(self._under_way) - queue.moving < self._concurrency
                and self._state is _State.RUNNING
            ):
                ticket = queue.take()
                if ticket is None:
                    wakes_at = queue.wakes_at
                    break
                if ticket.request is None:
                    self._begin(ticket)
                else:
                    ticket.request.take_turn(ticket.paced)
        # An error of this program's own.
        except Exception:
            self._fail()
        self._is_going_on = False
        if wakes_at != self._due:
            self._wake_at(wakes_at)
        is_over = self._state is _State.STOPPING or queue.is_over
        if is_over and not self._under_way:
            self._close()

    def _begin(self, ticket: Ticket) -> None:
        request = self._getter.request(
            ticket.job, queued_at=self._queued_at, ask=self._on_ask
        )
        if self._begun is not None:
            self._begun(ticket.index, request)
        ticket.request = request
        self._under_way[request] = ticket
        request.start(self._on_end, paced=ticket.paced)

    def _ask(self, request: Request, origin: Origin) -> bool:
        if self._queue.move(self._under_way[request], origin):
            return True
        # Its turn may have come already, and its place may be another's.
        self.go_on()
        return False

    def _wake_at(self, due: float) -> None:
        """Go on then; infinity is never."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due < math.inf:
            wait = max(due - self._getter.now(), 0.0)
            self._timer = self._getter.reactor.callLater(wait, self._wake)

    def _wake(self) -> None:
        self._timer, self._due = None, math.inf
        self.go_on()

    def _end(self, request: Request, result: Result) -> None:
        ticket = self._under_way.pop(request)
        self._queue.leave(ticket)
        self._tell(ticket.index, result)
        self.go_on()

    def _tell(self, index: int, result: Result) -> None:
        try:
            self._deliver(index, result)
        # The error of whoever takes it ends this, and is not lost.
        except Exception:
            self._fail()

    def _fail(self) -> None:
        if self._failure is None:
            self._failure = Failure()
        self._stop()

    def _stop(self) -> None:
        if self._state is _State.RUNNING:
            self._state = _State.STOPPING
        for request in list(self._under_way):
            request.cancel()
        self.go_on()

    def _close(self) -> None:
        self._state = _State.CLOSING
        if self._failure is None:
            # There are some left only when it was cancelled.
            for index, job in islice(self._queue.rest(), self._most_marked):
                self._tell(index, never_sent(job, Interrupted(NEVER_SENT)))
        self._queue.close()
        self._getter.close().addCallback(lambda _: self._finish())

    def _finish(self) -> None:
        if self._failure is None:
            self.ending.callback(None)
        else:
            self.ending.errback(self._failure)


def never_sent(job: Job | BadJob, error: RequestError) -> Result:
    """The result of a job of which no request was made."""
    if isinstance(job, BadJob):
        return Result(job.shown, error=error)
    return Result(presentable(job.url), error=error, job=job)


def get_all(
    asked: Iterable[str | Job],
    *,
    reactor: Any,
    concurrency: int = DEFAULT_CONCURRENCY,
    per_host: int | None = None,
    **how: Unpack[How],
) -> Deferred[list[tuple[bool, Response | Failure]]]:
    """Do all that is asked, `concurrency` of it at once, and `per_host` of one host.

    A URL alone is a GET of it. The rest is as `Getter` has it. Connections are used
    again where they can be.

    Fires with what a `DeferredList` of all the requests gives: in the order asked,
    `(True, response)` or `(False, failure)`, each failure a `RequestError`. Cancelling
    it ends every request; those not answered by then have failed as `Interrupted`.
    """
    jobs = list(asked)
    getter = Getter(
        reactor,
        connections=concurrency,
        more_to_come=len(jobs) > min(concurrency, per_host or concurrency),
        **how,
    )
    # Made when each ends: while they wait, the collector would only look at them.
    each: dict[int, Deferred[Response]] = {}

    def end(index: int, result: Result) -> None:
        ended: Deferred[Response] = Deferred()
        each[index] = ended
        tell(ended, result)

    gathered = gather(
        getter,
        Given(jobs),
        concurrency=concurrency,
        per_host=per_host,
        deliver=end,
        most_marked=None,
    )

    def collect(_: None) -> Any:
        in_order = [each[index] for index in range(len(jobs))]
        return DeferredList(in_order, consumeErrors=True)

    return gathered.addCallback(collect)
