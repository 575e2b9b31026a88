"""A part of a run of `get`, on a cluster's worker: `python -m nbtwisted.client --part`.

The driver says the options first, then jobs with their positions in the list, and may
say to stop. It is told how requests end, with their records in the format asked for, as
they end: many at once, and none while it has enough to read.
"""

from __future__ import annotations

import enum
import time
from collections import deque
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from nbtwisted import steady_clock
from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job
from nbtwisted.client.many.gathering import gather
from nbtwisted.client.many.job_list import nothing
from nbtwisted.client.options.sent import JobsInShort, PartOptions, tls_files
from nbtwisted.client.places.part_files import PartFiles, WrittenFile, listed
from nbtwisted.client.request.getting import Getter, How
from nbtwisted.client.result import Result
from nbtwisted.client.results.answers import FORMATS
from nbtwisted.client.results.ended import how_it_ended
from nbtwisted.cluster.driver import Driver, be_part
from nbtwisted.cluster.frame import Frame
from nbtwisted.command_line import open_files_left

__all__ = ["ClientPart", "main"]

SHORT_WHILE = 0.05
"""Seconds for which records are kept, so that many are sent at once, while there is
something else to do."""

LARGE = 256 * 1024
"""Bytes of records that are not kept."""


def main() -> NoReturn:
    """Be a part, until the driver is gone; raises `SystemExit`."""
    be_part(lambda reactor, driver: ClientPart(reactor, driver).ended)


class _SentJobs:
    """Jobs that the driver has sent, and where they stand in its list."""

    def __init__(self, is_full: Callable[[], bool], short: JobsInShort) -> None:
        self.on_more: Callable[[], None] = nothing
        self.is_over = False
        self._is_full = is_full
        self._short = short
        self._tasks: deque[tuple[int, Any]] = deque()
        self._taken = 0
        self._positions: dict[int, int] = {}

    def add(self, tasks: list[tuple[int, Any]]) -> None:
        """There are more."""
        self._tasks += tasks
        self.on_more()

    def take(self) -> Job | BadJob | None:
        """As all have it. There is none while there is no room for what comes of it."""
        if not self._tasks or self._is_full():
            return None
        return self._next()

    def rest(self) -> Iterator[Job | BadJob]:
        """As all have it."""
        while self._tasks:
            yield self._next()

    def close(self) -> None:
        """As all have it."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._tasks)

    @property
    def is_idle(self) -> bool:
        """Whether none has not ended."""
        return not (self._tasks or self._positions)

    def position(self, number: int) -> int:
        """Where a job stands that was taken as this one, from 0; it is asked once."""
        return self._positions.pop(number)

    def _next(self) -> Job | BadJob:
        position, written = self._tasks.popleft()
        self._positions[self._taken] = position
        self._taken += 1
        return self._short.read(written)


class State(enum.Enum):
    """Where a part is in its life.

    | state | what happens | where that leads |
    |---|---|---|
    | IDLE | `options` | GETTING; with a place, OPENING |
    | OPENING | the place can be written to, or it cannot | GETTING, IDLE |
    | GETTING | `last`, or `stop` | ENDING |
    | ENDING | it was stopped, and every request has ended | IDLE |
    | GONE | every request has ended: `ended` fires | |

    That the driver goes, or an error, leads from IDLE, OPENING, GETTING and ENDING to
    GONE.
    """

    IDLE = enum.auto()
    OPENING = enum.auto()
    GETTING = enum.auto()
    ENDING = enum.auto()
    GONE = enum.auto()


_AT_WORK = (State.GETTING, State.ENDING)


class ClientPart:
    """Sends what a driver says, and tells it what comes of it.

    `ended` fires when the driver has gone, and with it all that was under way.
    """

    def __init__(
        self,
        reactor: Any,
        driver: Driver,
        new_getter: Callable[..., Getter] = Getter,
    ) -> None:
        self.ended: Deferred[None] = Deferred()
        self._reactor = reactor
        self._driver = driver
        self._new_getter = new_getter
        self._state = State.IDLE
        self._options: PartOptions
        self._format: Callable[[int, Result], bytes]
        self._jobs: _SentJobs
        self._opening: Deferred[None]
        self._gathering: Deferred[None]
        self._files: PartFiles | None = None
        # How those ended whose records are in no file that is whole.
        self._ended: dict[int, Any] = {}
        self._records: list[Any] = []
        self._payload: list[bytes] = []
        self._size = 0
        self._flushing: IDelayedCall | None = None
        driver.listener = self

    # As the driver's listener.

    def frame_received(self, frame: Frame) -> None:
        """The driver has said this."""
        if "options" in frame.head:
            self._begin(PartOptions.read(frame.head["options"], frame.payload))
        elif self._state not in _AT_WORK:
            # It was told that this could not begin.
            pass
        elif "jobs" in frame.head:
            self._jobs.add(frame.head["jobs"])
        elif "last" in frame.head:
            self._hurry()
        else:
            self._hurry()
            # What it is to be told of the rest is little, and it waits for it.
            self._gathering.cancel()

    def driver_ready(self) -> None:
        """It can be told more."""
        if self._state in _AT_WORK:
            self._jobs.on_more()

    def driver_gone(self) -> None:
        """Nobody waits for anything any more."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._files is not None:
            self._files.abandon()
        state, self._state = self._state, State.GONE
        if state in _AT_WORK:
            self._gathering.cancel()
        elif state is not State.GONE:
            self.ended.callback(None)
        if state is State.OPENING:
            self._opening.cancel()

    def _end(self, _: None) -> None:
        if self._state is State.GONE:
            self.ended.callback(None)
        else:
            self._state = State.IDLE

    def _fail(self, failure: Failure) -> None:
        self._state = State.GONE
        self.ended.errback(failure)

    def _begin(self, options: PartOptions) -> None:
        if options.place is None:
            self._start(options, None)
            return

        def failed(failure: Failure) -> None:
            # Unless it was cancelled.
            if isinstance(failure.value, OSError):
                self._state = State.IDLE
                self._cannot_write(failure.value)

        self._state = State.OPENING
        opening = PartFiles.open(
            self._reactor, options.place, self._written, self._cannot_write
        )
        self._opening = opening.addCallbacks(
            lambda files: self._start(options, files), failed
        ).addErrback(self._fail)

    def _start(self, options: PartOptions, files: PartFiles | None) -> None:
        self._options, self._files = options, files
        self._format = FORMATS[options.format]
        if options.may_need_tls:
            # Before a request is sent, whose time its 60 ms would take.
            import_module("nbtwisted.client.connection.tls")
        concurrency = min(options.concurrency, open_files_left())
        clocks: dict[str, Any] = {}
        if options.ahead:
            clocks["now"] = lambda: steady_clock.now() - options.ahead
            clocks["wall_clock"] = lambda: time.time() - options.ahead
        try:
            with tls_files(options.how["tls"]) as tls:
                how: How = {**options.how, "tls": tls}
                getter = self._new_getter(
                    self._reactor,
                    connections=concurrency,
                    more_to_come=options.keeps_alive,
                    **clocks,
                    **how,
                )
        # The files were good where they were read: there is no room for them here.
        except (OSError, ValueError) as error:
            self._state = State.IDLE
            self._driver.send({"refused": str(error)})
            return
        self._state = State.GETTING
        self._jobs = _SentJobs(self._is_full, JobsInShort(options.template))
        self._gathering = gather(
            getter,
            self._jobs,
            concurrency=concurrency,
            per_host=options.per_host,
            deliver=self._deliver,
            most_marked=None,
        )
        self._gathering.addCallbacks(self._end, self._fail)
        self._driver.send({"ready": concurrency})

    def _deliver(self, number: int, result: Result) -> None:
        if self._state is State.GONE:
            # Nobody asks what ends by that.
            return
        index = self._jobs.position(number)
        record = self._format(index, result)
        ended = how_it_ended(result, fail=self._options.fail)
        if self._files is None:
            self._records.append([index, len(record), ended.as_json()])
            self._payload.append(record)
            self._size += len(record)
        else:
            self._records.append(index)
            self._ended[index] = ended.as_json()
            self._files.write(index, record)
            if self._state is State.ENDING:
                self._hurry()
        if self._size >= LARGE:
            self._flush()
        elif self._flushing is None:
            while_ = SHORT_WHILE if self._jobs else 0
            self._flushing = self._reactor.callLater(while_, self._flush)

    def _flush(self) -> None:
        if self._flushing is not None and self._flushing.active():
            self._flushing.cancel()
        self._flushing = None
        what = "records" if self._files is None else "answered"
        head, payload = {what: self._records}, b"".join(self._payload)
        self._records, self._payload, self._size = [], [], 0
        self._driver.send(head, payload)

    # Records that are written from here.

    def _is_full(self) -> bool:
        return self._driver.is_full or (self._files is not None and self._files.is_full)

    def _hurry(self) -> None:
        """Let no record wait for others if all has ended that is to be done."""
        self._state = State.ENDING
        if self._files is not None and self._jobs.is_idle:
            self._files.flush()

    def _written(self, files: list[WrittenFile]) -> None:
        records = [[index, 0, self._ended.pop(index)] for index in listed(files)]
        self._driver.send({"files": files, "records": records})
        # The place may have been full.
        self._jobs.on_more()

    def _cannot_write(self, error: OSError) -> None:
        self._driver.send({"cannot_write": [error.filename, error.strerror]})
