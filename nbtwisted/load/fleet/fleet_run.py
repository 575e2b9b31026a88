"""One run that is divided over the workers of a cluster, as its driver has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall

from nbtwisted.cluster.clock import ClockDifference
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.load.figures.intervals import read_intervals
from nbtwisted.load.figures.series import Interval
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.figures.tally_json import read_tally
from nbtwisted.load.fleet.parts import divide
from nbtwisted.load.fleet.spec import write_requests, write_spec
from nbtwisted.load.worker_results import Goal, WorkerResult, Workers
from nbtwisted.printable import printable

if TYPE_CHECKING:
    from nbtwisted.cluster.frame import Frame
    from nbtwisted.cluster.part import Part
    from nbtwisted.load.plan import Plan

__all__ = ["FleetRun", "Missing"]

INTERVAL = 0.5
"""Seconds between two tallies of a part."""

MOST_AS_OFTEN = 50
"""Parts that tell as often; of more, each tells so much less often."""

LEAD = 0.1
LEAD_EACH = 0.002
"""Seconds from the word to begin until all do, and how many more for each part."""

LEAD_TRIPS = 10
"""How many times as long as the word took to the farthest part, when clocks were
compared: on a network that loses packets, some words take longer."""

GETTING_READY = 60.0
"""Seconds for which a part may read its plan."""

SILENCE = 20.0
"""Seconds for which a part may say nothing, besides its interval."""

STOPPING = 1.5
"""Seconds within which a part ends that was told to stop."""

LONGEST_NAME = 100
LONGEST_REASON = 300
"""Characters that are shown of what a cluster says."""

_LOOK = 1.0
"""Seconds between two looks at who is silent."""


class Missing(NamedTuple):
    """A worker on which no part could be started, or which was lost since."""

    name: str
    why: str


class _Share:
    """What one part has of a run."""

    def __init__(self, part: Part, plan: Plan, now: float) -> None:
        self.part = part
        self.plan = plan
        name = printable(part.worker.name, longest=LONGEST_NAME)
        self.result = WorkerResult(name, part.clock, Goal.of(plan))
        self.is_ready = False
        self.is_over = False
        self.heard_at = now
        self._intervals: list[bytes] = []
        self._under_way: object = None

    def take(self, told: dict[str, Any], intervals: bytes) -> None:
        """It has come so far."""
        result = self.result
        result.tally = read_tally(told["tally"])
        result.seconds = told["seconds"]
        result.cpu_share = told["cpu"]
        result.skew = told["skew"]
        result.methods = Counter(told["methods"])
        # They are read when somebody needs them, which is mostly the last alone.
        if told["is_last"]:
            del self._intervals[:]
        if intervals:
            self._intervals.append(intervals)
        self._under_way = told["under_way"]

    def add_to(self, whole: Tally) -> None:
        """Add all that came of it, with its intervals if the whole has a series."""
        whole.merge(self.result.tally)
        series = whole.series
        if series is None:
            return
        for written in self._intervals:
            for interval in read_intervals(written):
                series.add(interval)
        if self._under_way is not None:
            series.add(Interval.from_json(self._under_way))


class State(Enum):
    """Where a run is in its life.

    | state | what happens | where that leads |
    |---|---|---|
    | NEW | `start` | PREPARING |
    | PREPARING | all that are not lost are ready | GOING |
    | | a part refuses its plan | OVER, and `start` fails |
    | PREPARING, GOING | each has told its last, or is lost | OVER |
    """

    NEW = auto()
    PREPARING = auto()
    GOING = auto()
    OVER = auto()


class FleetRun:
    """A run that is divided over parts, and adds what came of it to a tally.

    Of the workers that were to have a part, some may be `missing`, and as many as are
    `idle` were to have none. `lose` is called with a part that says nothing any more.
    """

    def __init__(
        self,
        reactor: Any,
        parts: Sequence[Part],
        plan: Plan,
        tally: Tally,
        *,
        missing: Sequence[Missing],
        idle: int,
        lose: Callable[[Part, str], None],
        now: Callable[[], float],
    ) -> None:
        self._reactor = reactor
        self._plan = plan
        self._sum = tally
        self._idle = idle
        self._lose = lose
        self._now = now
        self._state = State.NEW
        plans = divide(plan, len(parts) + len(missing))
        self._shares = {
            part: _Share(part, share, now())
            for part, share in zip(parts, plans, strict=False)
        }
        self._missing = [
            WorkerResult(
                printable(each.name, longest=LONGEST_NAME),
                ClockDifference(),
                Goal.of(share),
                lost=printable(each.why, longest=LONGEST_REASON),
            )
            for each, share in zip(missing, plans[len(parts) :], strict=False)
        ]
        self.interval = INTERVAL * max(len(self._shares) / MOST_AS_OFTEN, 1)
        """Seconds after which each has told more."""
        self._began = 0.0
        self._stopped_at: float | None = None
        self._live: tuple[float, Tally] | None = None
        self._timers: list[IDelayedCall] = []
        self._done: Deferred[None] = Deferred()

    def start(self) -> Deferred[None]:
        """Begin; fires when each part has ended, or is lost.

        Fails with a `ClusterError` if one cannot carry out its share.
        """
        if not self._shares:
            return fail(ClusterError("no worker is left"))
        self._state = State.PREPARING
        requests = write_requests(self._plan.requests)
        for place, share in enumerate(self._shares.values()):
            share.heard_at = self._now()
            share.part.send(
                {
                    "spec": write_spec(share.plan),
                    "series": self._sum.series is not None,
                    "interval": self.interval,
                    # They take turns in telling.
                    "phase": self.interval * (place + 1) / len(self._shares),
                },
                requests,
            )
        self._call_later(_LOOK, self._look_for_silence)
        return self._done

    def stop(self) -> None:
        """Have all parts stop, and wait a while for what they have to tell."""
        if self._state is State.OVER or self._stopped_at is not None:
            return
        self._stopped_at = self._now()
        for share in self._under_way:
            share.part.send({"stop": True})
        self._call_later(STOPPING, self._give_up)

    @property
    def tally(self) -> Tally:
        """What came of it; until it is over, without a series, and some time ago."""
        if self._state is State.OVER:
            return self._sum
        now = self._now()
        if self._live is None or now - self._live[0] >= self.interval / 2:
            tally = Tally()
            for share in self._shares.values():
                tally.merge(share.result.tally)
            self._live = (now, tally)
        return self._live[1]

    @property
    def seconds(self) -> float:
        """From the moment at which requests count to the end of the last; or to now."""
        if self._state is State.OVER:
            return max(share.result.seconds for share in self._shares.values())
        if self._state is State.GOING:
            return max(self._now() - self._began - self._plan.warm_up, 0.0)
        return 0.0

    @property
    def cpu_share(self) -> float:
        """How much of its core the busiest part has used."""
        return max(share.result.cpu_share for share in self._shares.values())

    @property
    def methods(self) -> Counter[str]:
        """The methods of the requests that count."""
        methods: Counter[str] = Counter()
        for share in self._shares.values():
            methods.update(share.result.methods)
        return methods

    @property
    def workers(self) -> Workers:
        """What each has done."""
        stopped_after = None
        if self._stopped_at is not None:
            stopped_after = self._stopped_at - self._began - self._plan.warm_up
        results = [share.result for share in self._shares.values()]
        results += self._missing
        return Workers(results, self._idle, stopped_after)

    # What the fleet passes on.

    def frame_received(self, part: Part, frame: Frame) -> None:
        """A part of it has said this."""
        share = self._shares.get(part)
        if share is None or share.is_over or self._state is State.OVER:
            return
        share.heard_at = self._now()
        head = frame.head
        if "ready" in head:
            share.is_ready = True
            self._begin_if_ready()
        elif "refused" in head:
            self._state = State.OVER
            self._cancel_timers()
            why = f"worker {share.result.name}: {head['refused']}"
            self._done.errback(ClusterError(why))
        elif "tally" in head:
            try:
                share.take(head, frame.payload)
            except (KeyError, TypeError, ValueError) as error:
                self._lose(part, f"what it says is no tally: {error}")
                return
            share.is_over = head["is_last"]
            self._look_if_over()

    def part_lost(self, part: Part, reason: str) -> None:
        """What it has told counts."""
        share = self._shares.get(part)
        if share is None or share.is_over or self._state is State.OVER:
            return
        share.is_over = True
        share.result.lost = printable(reason, longest=LONGEST_REASON)
        self._begin_if_ready()
        self._look_if_over()

    # Its life.

    @property
    def _under_way(self) -> list[_Share]:
        return [share for share in self._shares.values() if not share.is_over]

    def _begin_if_ready(self) -> None:
        under_way = self._under_way
        if self._state is not State.PREPARING or not under_way:
            return
        if not all(share.is_ready for share in under_way):
            return
        self._state = State.GOING
        farthest = max(share.part.clock.uncertainty for share in under_way)
        lead = LEAD + LEAD_EACH * len(under_way) + LEAD_TRIPS * farthest
        self._began = self._now() + lead
        for share in under_way:
            share.heard_at = self._now()
            moment = self._began + share.part.clock.seconds
            share.part.send({"start": moment})

    def _look_if_over(self) -> None:
        if self._state is State.OVER or self._under_way:
            return
        self._state = State.OVER
        self._cancel_timers()
        for share in self._shares.values():
            share.add_to(self._sum)
        self._done.callback(None)

    def _look_for_silence(self) -> None:
        now, is_preparing = self._now(), self._state is State.PREPARING
        patience = GETTING_READY if is_preparing else SILENCE + self.interval
        for share in self._under_way:
            # Whoever is ready waits for others.
            waits = is_preparing and share.is_ready
            if not waits and now - share.heard_at > patience:
                self._lose(share.part, f"it has said nothing for {patience:g} s")
        if self._state is not State.OVER:
            self._call_later(_LOOK, self._look_for_silence)

    def _give_up(self) -> None:
        for share in self._under_way:
            self._lose(share.part, f"it did not stop within {STOPPING:g} s")

    def _call_later(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers.append(self._reactor.callLater(seconds, call))

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
