"""`get` on all cores, or on many machines: a fleet of parts on a cluster's workers.

The list is read here, in its order, and each job is sent to the worker that has its
host (`many/sharding.py`). Records come back as bytes, many in a frame, and are written
as they are. Of a worker that is lost, others do what it had not delivered.
"""

from __future__ import annotations

import enum
import errno
import math
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from nbtwisted.client.errors import BadJob, Interrupted, RequestError, WorkerLost
from nbtwisted.client.job import Job
from nbtwisted.client.many.gathering import MOST_MARKED, NEVER_SENT, never_sent
from nbtwisted.client.many.job_list import Jobs
from nbtwisted.client.many.sharding import Sharding
from nbtwisted.client.many.unanswered import Unanswered
from nbtwisted.client.options.get import Options
from nbtwisted.client.options.sent import JobsInShort, PartOptions
from nbtwisted.client.places.manifest import Manifest
from nbtwisted.client.request.ending import Ending
from nbtwisted.client.results.answers import FORMATS
from nbtwisted.client.results.ended import how_it_ended, read_ended
from nbtwisted.client.results.reach import Reach
from nbtwisted.client.running.complaining import complain
from nbtwisted.client.running.sending import AHEAD, Taker
from nbtwisted.cluster.frame import Frame
from nbtwisted.cluster.part import Part

__all__ = ["STOPPING", "Fleet"]

STOPPING = 1.5
"""Seconds for which parts may take to tell what came, when they are stopped."""

AHEAD_OF_EACH = 10_000
"""Records for each worker that may be held back for one that comes before them."""

SO_FAR = 1000
"""Jobs of one host, after which it is said that one worker has all of them."""

_AT_ONCE = 500
"""Jobs that fail in one turn of the reactor, where no worker is left."""


def divided(number: int, by: int) -> list[int]:
    """A whole number in so many parts, which are as equal as they can be."""
    least, more = divmod(number, by)
    return [least + (place < more) for place in range(by)]


class State(enum.Enum):
    """Where a fleet is in its life.

    | state | what happens | where that leads |
    |---|---|---|
    | WAITING | all parts can write to the place, if any, or are lost | SENDING |
    | SENDING | the list is over: each part is told that no more comes | ENDING |
    | ENDING | every job has ended | OVER |
    | STOPPING | every job that was sent has ended, or that takes too long | OVER |

    And `stop` leads from WAITING, SENDING and ENDING to STOPPING.
    """

    WAITING = enum.auto()
    SENDING = enum.auto()
    ENDING = enum.auto()
    STOPPING = enum.auto()
    OVER = enum.auto()


class Fleet:
    """Has parts do the jobs of a list. It is their listener.

    `ended` fires when every job has ended. To cancel it is to `stop`: it fires when the
    parts have said what came, or have had the time to.
    """

    def __init__(
        self,
        reactor: Any,
        parts: Sequence[Part],
        jobs: Jobs,
        options: Options,
        taker: Taker,
        manifest: Manifest | None = None,
    ) -> None:
        self._ending: Ending[None] = Ending(self.stop)
        self.ended = self._ending.deferred
        self.has_begun = False
        """Whether anything was sent, or was to be."""
        self._state = State.WAITING
        self._reactor = reactor
        self._parts = parts
        self._numbers = {id(part): number for number, part in enumerate(parts)}
        self._jobs = jobs
        self._options = options
        self._taker = taker
        self._manifest = manifest
        # Those that have yet to say that they can write.
        self._not_ready = set() if manifest is None else set(range(len(parts)))
        self._short = JobsInShort(options.template)
        self._format = FORMATS[options.format]
        self._shares = divided(options.concurrency, len(parts)) if parts else []
        retries = options.how["retries"]
        assert retries is not None, "not as options are read"
        self._shards = Sharding(
            self._shares,
            ahead=max(AHEAD, AHEAD_OF_EACH * len(parts))
            if options.in_input_order
            else math.inf,
            may_repeat=retries.may_repeat,
        )
        self._reach = Reach([part.worker.name for part in parts])
        self._next = 0
        self._has_warned = len(parts) < 2
        self._turn: IDelayedCall | None = None

    def begin(self) -> None:
        """Send what there is to be sent."""
        number = len(self._parts)
        place = None if self._manifest is None else self._manifest.spec
        for part, share in zip(self._parts, self._shares, strict=True):
            part.listener = self
            clock = part.clock
            # Otherwise it is not known to be ahead, or behind.
            ahead = clock.seconds if abs(clock.seconds) > clock.uncertainty else 0.0
            options = PartOptions.of(self._options, share, number, place, ahead)
            part.send({"options": options.as_json()}, options.template.body or b"")
        self._jobs.on_more = self._go_on
        self._go_on()

    def stop(self) -> None:
        """Send nothing more, and have parts say what came."""
        if self._state in (State.STOPPING, State.OVER):
            return
        self._state = State.STOPPING
        self._cancel_turn()
        for part in self._parts:
            part.send({"stop": True})
        rest = ((self._position(), job) for job in self._jobs.rest())
        waiting = ((index, job) for index, job, _ in self._shards.rest())
        for index, job in islice(chain(waiting, rest), MOST_MARKED):
            self._fail(index, job, Interrupted(NEVER_SENT))
        self._turn = self._reactor.callLater(STOPPING, self._give_up)
        self._end_if_done()

    # As the parts' listener.

    def frame_received(self, part: Part, frame: Frame) -> None:
        """A part has said this."""
        number, head = self._numbers[id(part)], frame.head
        if "records" in head:
            if self._manifest is not None:
                self._manifest.add(head["files"])
            self._take(number, head["records"], frame.payload)
        elif "answered" in head:
            for index in head["answered"]:
                self._shards.answer(number, index)
            self._go_on()
        elif "cannot_write" in head:
            where, why = head["cannot_write"]
            why = f"worker {part.worker.name}: {why}"
            self._taker.stop_writing(OSError(errno.EIO, why, where))
        elif "refused" in head:
            part.end()
            self.part_lost(part, head["refused"])
        else:
            if head["ready"] < self._shares[number]:
                complain(
                    f"-c {self._options.concurrency}: worker {part.worker.name} may "
                    f"open no more than for -c {head['ready']} of "
                    f"{self._shares[number]}"
                )
            self._not_ready.discard(number)
            if self._state is State.WAITING:
                self._go_on()

    def part_lost(self, part: Part, reason: str) -> None:
        """It is lost: others do what it had to do."""
        number = self._numbers[id(part)]
        self._not_ready.discard(number)
        complain(f"worker {part.worker.name} is lost: {reason}")
        if self._state is State.STOPPING:
            self._interrupt_all_of(number)
        for lost in self._shards.lose(number):
            self._fail(
                lost.index,
                lost.job,
                WorkerLost(f"worker {part.worker.name} was lost, and {lost.why}"),
            )
        self._taker.flush()
        self._go_on()

    def _take(self, number: int, records: list[Any], payload: bytes) -> None:
        end, take, at = self._shards.end, self._taker.take, 0
        count = self._reach.count
        for index, size, written in records:
            to = at + size
            if end(number, index, size):
                ended = read_ended(written)
                count(number, ended)
                take(index, (ended, payload[at:to]))
            at = to
        self._taker.flush()
        self._go_on()

    def _go_on(self) -> None:
        """Take as many jobs from the list as may be, and send them; or end."""
        if self._state is State.WAITING and not self._not_ready:
            self._state = State.SENDING
            self.has_begun = True
        if self._state in (State.SENDING, State.ENDING) and self._turn is None:
            self._send()
            self._warn()
        self._end_if_done()

    def _send(self) -> None:
        shards, jobs = self._shards, self._jobs
        now = self._reactor.seconds()
        room = shards.room(now) if shards.left else _AT_ONCE
        took = 0
        for _ in range(room):
            job = jobs.take()
            if job is None:
                break
            took += 1
            index = self._position()
            if not shards.left:
                self._fail(index, job, WorkerLost("no worker is left"))
            elif not shards.put(index, job):
                break
        for number, part in enumerate(self._parts):
            while tasks := shards.take(number, now):
                write = self._short.write
                part.send({"jobs": [(index, write(job)) for index, job, _ in tasks]})
        if jobs.is_over and self._state is State.SENDING:
            self._state = State.ENDING
            # Nobody waits for more to write it with.
            for part in self._parts:
                part.send({"last": True})
        # The reactor has its turn between many and more.
        if room and took == room:
            self._turn = self._reactor.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        self._turn = None
        self._go_on()

    def _position(self) -> int:
        """Where the job that was just taken stands in the list."""
        if isinstance(self._jobs, Unanswered):
            return self._jobs.position_of_last()
        self._next += 1
        return self._next - 1

    def _warn(self) -> None:
        is_known = self._state is State.ENDING or self._next >= SO_FAR
        if not self._has_warned and is_known:
            self._has_warned = True
            if self._shards.origins == 1 and self._next > 1:
                complain(
                    f"all URLs are of one host: one of {len(self._parts)} workers asks "
                    f"for them, with -c {self._shares[0]}"
                )

    def _fail(self, index: int, job: Job | BadJob, error: RequestError) -> None:
        result = never_sent(job, error)
        ended = how_it_ended(result, fail=self._options.fail)
        record = self._format(index, result)
        # Where nothing was sent, nothing is left at the place.
        if self._manifest is not None and self.has_begun:
            self._manifest.put(index, record)
        self._taker.take(index, (ended, record))

    def _interrupt_all_of(self, number: int) -> None:
        for index, job, _ in self._shards.sent_to(number):
            self._shards.end(number, index)
            self._fail(index, job, Interrupted("its worker did not say how it ended"))

    def _give_up(self) -> None:
        self._turn = None
        for number in range(len(self._parts)):
            self._interrupt_all_of(number)
        self._end_if_done()

    def _end_if_done(self) -> None:
        is_last = self._state in (State.ENDING, State.STOPPING)
        if is_last and self._shards.is_idle:
            self._state = State.OVER
            self._cancel_turn()
            self._jobs.close()
            self._taker.flush()
            for part in self._parts:
                part.listener = None
            for complaint in self._reach.complaints():
                complain(complaint)
            self._ending.callback(None)

    def _cancel_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
