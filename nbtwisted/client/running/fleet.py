"""`get` on all cores, or on many machines: a fleet of parts on a cluster's workers.

The list is read here, in its order, and each job is sent to the worker that has its
host (`many/sharding.py`). Records come back as bytes, many in a frame, and are written
as they are. Of a worker that is lost, others do what it had not delivered.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall

from nbtwisted.client.errors import BadJob, Interrupted, RequestError, WorkerLost
from nbtwisted.client.job import Job
from nbtwisted.client.many.gathering import MOST_MARKED, NEVER_SENT, never_sent
from nbtwisted.client.many.job_list import JobFile, Jobs
from nbtwisted.client.many.sharding import Sharding
from nbtwisted.client.many.unanswered import Unanswered
from nbtwisted.client.options.get import Options
from nbtwisted.client.options.sent import JobsInShort, PartOptions
from nbtwisted.client.places.manifest import Manifest
from nbtwisted.client.request.ending import Ending
from nbtwisted.client.results.answers import FORMATS, Answers
from nbtwisted.client.results.ended import how_it_ended, read_ended
from nbtwisted.client.results.reach import Reach
from nbtwisted.client.running.complaining import complain
from nbtwisted.client.running.sending import AHEAD, Begun, Taker, expect_tls_files
from nbtwisted.cluster.cluster import Cluster, connect
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.cluster.frame import Frame
from nbtwisted.cluster.part import Part
from nbtwisted.cluster.place import Place

__all__ = ["FromCluster"]

NO_CLUSTER = 7
"""Exit code: curl's for a host that cannot be connected to."""

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


class FromCluster:
    """The workers of a cluster send them, which is left in the end."""

    def __init__(
        self,
        options: Options,
        connect: Callable[[Any, Place], Deferred[Any]] = connect,
    ) -> None:
        self._options = options
        self._connect = connect
        self._waiting: Deferred[Any] | None = None
        self._fleet: _Fleet | None = None
        self._was_stopped = False

    def start(
        self, reactor: Any, jobs: Jobs, taker: Taker, begun: Begun | None
    ) -> Deferred[None]:
        """As all have it; raises `SystemExit` for files of TLS that cannot be used."""
        if self._options.how["tls"] is not None:
            # Before anything is sent.
            from nbtwisted.client.connection.tls import TLS

            with expect_tls_files():
                TLS(**self._options.how["tls"])
        ending: Ending[None] = Ending(self._stop)
        running = Deferred.fromCoroutine(self._run(reactor, jobs, taker))
        running.addCallbacks(ending.callback, ending.errback)
        return ending.deferred

    def write(self, answers: Answers, index: int, what: bytes) -> None:
        """As all have it; what workers write is not written here."""
        if self._options.place is None:
            answers.put(index, what)

    def postpone(self, seconds: float) -> None:
        """As all have it: no request is sent from here."""

    def _stop(self) -> None:
        self._was_stopped = True
        if self._fleet is not None:
            self._fleet.stop()
        elif self._waiting is not None:
            self._waiting.cancel()

    async def _run(self, reactor: Any, jobs: Jobs, taker: Taker) -> None:
        options = self._options
        assert options.cluster is not None, "not as options are read"
        cluster: Cluster | None = None
        manifest: Manifest | None = None
        parts: list[Part] = []
        try:
            if options.place is not None:
                manifest = await self._wait(self._claim(reactor, options.place))
            cluster = await self._wait(self._connect(reactor, options.cluster))
            parts = await self._start_parts(cluster)
        except ClusterError as error:
            complain(f"error: {error}")
            if manifest is not None:
                await _soon(reactor, manifest.abandon())
            if cluster is not None:
                await _soon(reactor, cluster.close())
            raise SystemExit(NO_CLUSTER) from None
        except CancelledError:
            pass
        except OSError as error:
            taker.stop_writing(error)
            return
        fleet = self._fleet = _Fleet(reactor, parts, jobs, options, taker, manifest)
        if self._was_stopped:
            fleet.stop()
        else:
            fleet.begin()
        await fleet.ended
        # The parts end at once, also where the place takes its time.
        if cluster is not None:
            await _soon(reactor, cluster.close())
        if manifest is not None and not fleet.has_begun:
            await _soon(reactor, manifest.abandon())
        elif manifest is not None:
            try:
                was_read = not isinstance(jobs, JobFile) or jobs.error is None
                await manifest.write(is_complete=was_read and not self._was_stopped)
            except OSError as error:
                taker.stop_writing(error)

    def _claim(self, reactor: Any, url: str) -> Deferred[Manifest]:
        options = self._options
        return Manifest.begin(
            reactor, url, options.format, is_file_each=options.is_file_each
        )

    async def _start_parts(self, cluster: Cluster) -> list[Part]:
        options = self._options
        number = int(min(len(cluster.workers), options.concurrency, options.number))
        arguments = ["-m", "nbtwisted.client", "--part"]
        if options.reactor is not None:
            arguments += ["--reactor", options.reactor]
        started = await self._wait(
            DeferredList(
                [
                    cluster.start_part(worker, arguments)
                    for worker in cluster.workers[:number]
                ],
                consumeErrors=True,
            )
        )
        parts = [part for was_started, part in started if was_started]
        for failure in (failure for was_started, failure in started if not was_started):
            failure.trap(ClusterError)
            complain(f"{failure.value}")
        if not parts:
            raise ClusterError("no part could be started on any worker")
        return parts

    async def _wait(self, deferred: Deferred[Any]) -> Any:
        """What it gives; `_stop` cancels it meanwhile."""
        self._waiting = deferred
        try:
            return await deferred
        finally:
            self._waiting = None


def _soon(reactor: Any, closing: Deferred[None]) -> Deferred[None]:
    """Fires when that has, or is not waited for any longer: the process ends then."""
    soon: Deferred[None] = Deferred()

    def fire(_: object = None) -> None:
        if not soon.called:
            soon.callback(None)

    timer = reactor.callLater(STOPPING, fire)

    def closed(_: object) -> None:
        if timer.active():
            timer.cancel()
        fire()

    closing.addBoth(closed)
    return soon


class _Fleet:
    """Jobs that parts do. It is their listener.

    `ended` fires when every job has ended, or when it was stopped and the parts have
    said what came, or have had the time to.
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
        self.ended: Deferred[None] = Deferred()
        self.has_begun = False
        """Whether anything was sent, or was to be."""
        self._reactor = reactor
        self._parts = parts
        self._numbers = {id(part): number for number, part in enumerate(parts)}
        self._jobs = jobs
        self._options = options
        self._taker = taker
        self._manifest = manifest
        # Before all of these have said that they can write, nothing is sent.
        self._not_ready = set() if manifest is None else set(range(len(parts)))
        self._has_sent_last = manifest is None
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
        self._is_stopping = False
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
        if self._is_stopping or self.ended.called:
            return
        self._is_stopping = True
        self._cancel_turn()
        for part in self._parts:
            part.send({"stop": True})
        rest = ((self._position(), job) for job in self._jobs.rest())
        waiting = ((index, job) for index, job, _ in self._shards.rest())
        for index, job in islice(chain(waiting, rest), MOST_MARKED):
            self._fail(index, job, Interrupted(NEVER_SENT))
        self._turn = self._reactor.callLater(STOPPING, self._give_up)
        self._look()

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
            self._be_ready(number)

    def part_lost(self, part: Part, reason: str) -> None:
        """It is lost: others do what it had to do."""
        number = self._numbers[id(part)]
        self._not_ready.discard(number)
        complain(f"worker {part.worker.name} is lost: {reason}")
        if self._is_stopping:
            self._interrupt_all_of(number)
        for lost in self._shards.lose(number):
            self._fail(
                lost.index,
                lost.job,
                WorkerLost(f"worker {part.worker.name} was lost, and {lost.why}"),
            )
        self._taker.flush()
        self._go_on()

    def _be_ready(self, number: int) -> None:
        if number in self._not_ready:
            self._not_ready.remove(number)
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
        """Take as many jobs from the list as may be, and send them."""
        if self._is_stopping:
            self._look()
            return
        if self._turn is None and not self._not_ready:
            self._send()
            self._warn()
            self._look()

    def _send(self) -> None:
        self.has_begun = True
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
        if jobs.is_over and not self._has_sent_last:
            # Nobody waits for more to write it with.
            self._has_sent_last = True
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
        is_known = self._jobs.is_over or self._next >= SO_FAR
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
        if self._manifest is not None:
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
        self._look()

    def _look(self) -> None:
        """End, if all is done."""
        is_over = self._is_stopping or self._jobs.is_over
        if is_over and self._shards.is_idle and not self.ended.called:
            self._cancel_turn()
            self._jobs.close()
            self._taker.flush()
            for part in self._parts:
                part.listener = None
            for complaint in self._reach.complaints():
                complain(complaint)
            self.ended.callback(None)

    def _cancel_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
