"""A run: so many connections, kept busy or on time, until it is over."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall

from nbtwisted.client.connection.opening import Opening, interleaved
from nbtwisted.client.connection.protocol import Connection
from nbtwisted.client.connection.reader import Limits, ResponseReader
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.errors import DeadlinePassed, Interrupted, RequestError
from nbtwisted.client.target import Origin
from nbtwisted.load.figures.series import Interval
from nbtwisted.load.figures.tallies import Tallies
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.plan import Plan
from nbtwisted.load.requests.prepared import count_methods
from nbtwisted.load.requests.turns import share_of_round
from nbtwisted.load.schedule.pacing import Pace
from nbtwisted.load.worker import Worker

if TYPE_CHECKING:
    from nbtwisted.client.connection.tls import TLS

__all__ = ["Run"]

HEARTBEAT = 0.02
"""Seconds between timers that show, by how late they are, how late the reactor is."""

FRESH = 1.0
"""Seconds for which a host's addresses are used before it is looked up again.

A run for minutes follows a name whose addresses change, and a name server is not part
of what is measured."""

LIMITS = Limits(body=sys.maxsize)
"""Those of `nbtwisted get`, but for the body: it is counted and not kept."""

PRECISION = 0.08
"""Seconds between two looks at deadlines."""

FIRST_PAUSE = 0.01
LONGEST_PAUSE = 1.0
"""Seconds that a worker waits when a request has failed, twice as long each time."""


class Run:
    """Carries out a plan, and adds what comes of it to a tally.

    `now` reads seconds, and `cpu` the seconds that this process has computed for. Who
    wants to know how it went over time hands in a tally that keeps a series.
    """

    def __init__(
        self,
        reactor: Any,
        plan: Plan,
        *,
        tally: Tally | None = None,
        resolver: Resolver | None = None,
        now: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        # Where what came is added.
        self._tally = Tally() if tally is None else tally
        labels = {request.common.label for request in plan.requests}
        self._tallies = Tallies(self._tally, labels)
        self._by_label = self._tallies.by_label
        self.began = self.ended = 0.0
        """When the requests that count began, and when the last was over."""
        self._reactor = reactor
        self._plan = plan
        self._now = now
        self._cpu = cpu
        self._cpu_before = 0.0
        self._cpu_used: float | None = None
        self._resolver = resolver or Resolver(reactor, fresh=FRESH)
        self._opened: Counter[Origin] = Counter()
        self._tls: TLS | None = None
        if any(request.common.origin.is_tls for request in plan.requests):
            from nbtwisted.client.connection.tls import TLS  # 60 ms, with OpenSSL

            self._tls = TLS(verify=plan.verify)
        self._requests = share_of_round(plan.requests, plan.first, plan.step)
        self._turn = 0
        """The next one's."""
        self._pace: Pace
        self._workers: list[Worker] = []
        self._free: deque[Worker] = deque()
        self._pausing: dict[Worker, IDelayedCall] = {}
        self._tick: IDelayedCall | None = None
        self._heartbeat: IDelayedCall | None = None
        self._busy = 0
        self._next_look = 0.0
        # When an interval of the series ends.
        self._next_cut = inf
        self._counts = False
        self._is_stopped = False
        self._is_over = False
        self._done: Deferred[None] = Deferred()

    def start(self, began: float | None = None) -> Deferred[None]:
        """Begin; fires when every request has ended, and nothing is open any more.

        Who begins late says when it should have been, by `now`: requests are due as if
        it had.
        """
        plan = self._plan
        if began is None:
            began = self._now()
        self._pace = Pace(
            began,
            number=plan.number,
            seconds=plan.seconds,
            warm_up=plan.warm_up,
            arrivals=plan.open_loop,
        )
        self._cpu_before = self._cpu()
        self.began = self.ended = self._pace.counts_from
        self._counts = plan.warm_up == 0
        self._workers = [
            Worker(self, self._now, self._request_ended)
            for _ in range(plan.connections)
        ]
        self._free.extend(self._workers)
        self._beat(self._now())
        self._keep_busy()
        return self._done

    def stop(self) -> None:
        """Send nothing more, and end what is under way."""
        self._is_stopped = True
        for worker in self._workers:
            if worker.is_busy:
                worker.stop(Interrupted("stopped before it was answered"))
        self._look_if_over()

    @property
    def tally(self) -> Tally:
        """What has come of it so far."""
        return self._tallies.total()

    def news(self) -> list[Interval]:
        """The intervals that ended since this was asked, and the one under way.

        There are none unless the tally keeps a series.
        """
        return self._tallies.news(self.seconds)

    @property
    def interval(self) -> float:
        """There may be more at once."""
        return 0.0

    @property
    def workers(self) -> None:
        """None: all is done here."""

    @property
    def cpu_share(self) -> float:
        """How much of a core this process has used, since the requests count."""
        used = self._cpu_used
        if used is None:
            used = self._cpu() - self._cpu_before
        return used / max(self.seconds, 1e-9)

    @property
    def seconds(self) -> float:
        """From the first request that counts to the end of the last; or until now."""
        end = self.ended if self._is_over else self._now()
        return max(end - self.began, 0.0)

    @property
    def methods(self) -> Counter[str]:
        """The methods of the requests that count; once it is over."""
        # Those were the last to have their turns.
        sent = self.tally.sent
        return count_methods(self._requests, first=self._turn - sent, number=sent)

    # What workers need.

    def new(self, origin: Origin, worker: Worker) -> Connection:
        """A connection to there, for the worker; it is yet to be opened."""
        handshake = None
        if origin.is_tls:
            assert self._tls is not None, "an origin that is not among the plan's"
            handshake = self._tls.handshake(origin.host)
        return Connection(
            self._reactor,
            worker,
            worker,
            ResponseReader(LIMITS, keeps_body=False),
            handshake,
            keeps_alive=self._plan.keeps_alive,
        )

    def open(self, connection: Connection, origin: Origin) -> None:
        """Open it; the host's addresses take turns in being tried first."""

        def by_turns(addresses: Sequence[str]) -> tuple[str, ...]:
            in_order = interleaved(addresses)
            first = self._opened[origin] % len(in_order)
            self._opened[origin] += 1
            return in_order[first:] + in_order[:first]

        connection.opening = Opening(self._reactor, connection, origin.port)
        found = self._resolver.resolve(origin.host)
        connection.opening.begin(found.addCallback(by_turns))

    # Each request.

    def _keep_busy(self) -> None:
        """Give work to who is free, as far as there is any."""
        now = self._now()
        while self._free and not self._is_stopped:
            due = self._pace.take(now)
            if due is None:
                break
            self._send(self._free.popleft(), due, now)
        self._look_if_over()
        wait = self._pace.wait(now)
        if wait is not None and self._free and not (self._tick or self._is_stopped):
            self._tick = self._reactor.callLater(wait, self._on_tick)

    def _on_tick(self) -> None:
        self._tick = None
        self._keep_busy()

    def _send(self, worker: Worker, due: float, now: float) -> None:
        requests, turn = self._requests, self._turn
        self._turn = turn + 1
        self._busy += 1
        worker.send(requests[turn % len(requests)], due, now)

    def _request_ended(self, worker: Worker, error: RequestError | None) -> None:
        # This is done for each response, and what is left out here is left out 100,000
        # times a second.
        now = self._now()
        self._busy -= 1
        due = worker.due
        if due >= self.began:
            if now > self._next_cut:
                self._look_at_series(now)
            if not self._counts:
                self._counts = True
                self._cpu_before = self._cpu()
            self.ended = now
            tally = self._by_label[worker.label]
            # A request that ran out of time would have taken at least as long. To leave
            # it out would make the percentiles better the more requests do.
            if error is None or isinstance(error, DeadlinePassed):
                tally.latencies.add(now - due)
                if self._pace.is_open:
                    tally.service.add(now - worker.sent_at)
            if error is None:
                tally.responses[worker.status, worker.size] += 1
                if worker.connecting is not None:
                    tally.connecting.add(worker.connecting)
                if worker.receiving:
                    tally.receiving.add(worker.receiving)
            else:
                tally.fail(error, within=worker.timeout)
            if worker.was_resent:
                tally.resent += 1
        if worker.failures:
            self._pause(worker)
            return
        # The usual case, without a detour: this one goes on.
        next_due = None if self._is_stopped else self._pace.take(now)
        if next_due is None:
            self._free.append(worker)
            self._keep_busy()
            return
        is_counted = next_due >= self.began
        if is_counted and self._pace.is_open and not self._free:
            self._tally.waited_for_connection += 1
        self._send(worker, next_due, now)

    def _pause(self, worker: Worker) -> None:
        # What is refused at once would be refused as often as we can ask.
        # Two to the power of thousands would be no float.
        doublings = min(worker.failures - 1, 20)
        pause = min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE)
        if not self._is_stopped:
            self._pausing[worker] = self._reactor.callLater(pause, self._go_on, worker)
        self._look_if_over()

    def _go_on(self, worker: Worker) -> None:
        del self._pausing[worker]
        self._free.append(worker)
        self._keep_busy()

    def _beat(self, expected: float) -> None:
        now = self._now()
        self._heartbeat = self._reactor.callLater(
            HEARTBEAT, self._beat, now + HEARTBEAT
        )
        if now >= self.began:
            self._tally.lateness.add(max(now - expected, 0.0))
        # Timers run before the reactor reads: after a time in which this process could
        # not run, responses may be there that came in time.
        could_run = now - expected < PRECISION
        if now >= self._next_look and could_run:
            # Seldom enough that ten thousand cost little.
            self._next_look = now + PRECISION
            for worker in self._workers:
                if worker.is_late(now):
                    worker.time_out()
        self._tallies.fold()
        self._look_at_series(now)
        # What ends a run may be no more than that its time is over.
        self._look_if_over()

    def _look_at_series(self, now: float) -> None:
        self._tallies.look_at_series(now - self.began)
        if self._tally.series is not None:
            self._next_cut = self.began + self._tally.series.due

    def _look_if_over(self) -> None:
        if self._is_over or self._busy:
            return
        now = self._now()
        if not (self._is_stopped or self._pace.is_over(now)):
            return
        self._is_over = True
        self._tallies.fold()
        self._tallies.look_at_series(self.ended - self.began, is_end=True)
        self._tally.not_sent = self._pace.give_up(now)
        self._cpu_used = self._cpu() - self._cpu_before
        timers = [self._tick, self._heartbeat, *self._pausing.values()]
        for timer in timers:
            if timer is not None and timer.active():
                timer.cancel()
        closed = DeferredList([worker.close() for worker in self._workers])
        closed.addCallback(lambda _: self._done.callback(None))
