"""What a reactor's time goes into: waiting, and each callback by its name. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["MOST_NAMES", "Call", "Recorder", "Spans", "Stall"]

MOST_NAMES = 10_000
"""Names that are told apart; what comes after them goes by one."""

MOST_ALIKE = 16
"""Short callbacks of one name that are timed as one."""

OTHERS = "(others)"
SHOWN = 10


@dataclass
class Sum:
    """The callbacks of one name: how many, and their seconds."""

    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0


class Call:
    """A callback that is under way, and what it is about.

    name    of the callback
    about   what `Recorder.detail` knows more of
    began   when it did
    within  the callback within which it is made, if any
    stack   as the watchdog has found it, if it has
    count   how many alike it stands for
    """

    # Made by the recorder alone, and for each event: without an `__init__` of its own,
    # this takes half the time.
    __slots__ = ("about", "began", "count", "name", "stack", "within")

    name: str
    about: object
    began: float
    within: Call | None
    stack: tuple[str, ...]
    count: int

    @property
    def outermost(self) -> Call:
        """The callback within which it is made."""
        call = self
        while call.within is not None:
            call = call.within
        return call


@dataclass(frozen=True)
class Stall:
    """A callback that took too long."""

    name: str
    """What a person calls it."""

    seconds: float

    stack: tuple[str, ...] = ()
    """Where it was while it blocked, as `traceback.format_stack` has it, the innermost
    frame last. It is empty if nobody has looked: if it held the interpreter's lock all
    the time, as C code can, or has ended before."""

    preempted: float = 0.0
    """Seconds of these for which the kernel ran something else instead, at most."""

    @property
    def blocked(self) -> float:
        """Seconds that are the callback's own doing, at least."""
        return max(self.seconds - self.preempted, 0.0)


class Spans(Protocol):
    """Where each span goes, if they are to be kept."""

    def span(
        self,
        name: str,
        began: float,
        ended: float,
        *,
        category: str,
        details: dict[str, object] | None = None,
    ) -> None:
        """Something that began and ended then."""


class Recorder:
    """Adds up what the time of a reactor goes into.

    `now` reads seconds, and `detail` says of what a callback is about what is to be
    shown of it: not before it is shown, which for most is never. A callback of `stall`
    seconds or more is a stall, and told to `on_stall` when it has ended. `current` is
    what is under way, for another thread to look at; within it may be another, which is
    part of its time.
    """

    def __init__(
        self,
        now: Callable[[], float],
        *,
        stall: float,
        on_stall: Callable[[Stall], None] = lambda stall: None,
        spans: Spans | None = None,
        detail: Callable[[object], str] = str,
    ) -> None:
        self.now = now
        self._detail = detail
        self.stall = stall
        self.current: Call | None = None
        # A loop such as uvloop tells nobody of its polls.
        self.sees_turns = True
        self.turns = 0
        self.waited = 0.0
        self.worked = 0.0
        self.stalled = 0.0
        self.stalls = 0
        self.latest = 0.0
        self.sums: dict[str, Sum] = {}
        # Of the row that is under way.
        self._last: Call | None = None
        self._began = now()
        self._on_stall = on_stall
        self._spans = spans

    def begin(self, name: str, about: object = "") -> Call:
        """A callback begins; returns what `end` takes."""
        call = Call()
        call.name = name
        call.about = about
        call.within = self.current
        call.stack = ()
        call.count = 1
        call.began = self.now()
        self.current = call
        return call

    # Callbacks in a row take one look at the clock each, and not two.

    def open_row(self) -> Call | None:
        """A row of callbacks begins; returns what `close_row` takes."""
        outer, self._last = self._last, None
        return outer

    def begin_next(self, name: str, about: object = "") -> None:
        """The next callback of a row begins, and the last ends at that moment."""
        call = Call()
        call.name = name
        call.about = about
        call.stack = ()
        call.count = 1
        call.began = now = self.now()
        last = self._last
        if last is not None:
            self._add(last, now)
        call.within = self.current
        self.current = self._last = call

    def begin_alike(self, name: str, about: object = "") -> None:
        """The same for one that is short, as far as anybody knows.

        Some in a row by the same name are one, unless spans are kept.
        """
        last = self._last
        if (
            last is None
            or last.name != name
            or last.count == MOST_ALIKE
            or self._spans is not None
        ):
            self.begin_next(name, about)
        else:
            last.count += 1

    def set_apart(self, about: object) -> None:
        """The one that has begun last may be long, and is not to be one with others."""
        last = self._last
        if last is not None and last.count > 1:
            last.count -= 1
            self.begin_next(last.name, about)

    def close_row(self, outer: Call | None) -> None:
        """The last of a row ends."""
        if self._last is not None:
            self._add(self._last, self.now())
        self._last = outer

    def named(self, call: Call) -> str:
        """What a person calls it."""
        return f"{call.name} {self._detail(call.about)}".rstrip()

    def end(self, call: Call) -> None:
        """It has ended."""
        self._add(call, self.now())

    def _add(self, call: Call, ended: float) -> None:
        seconds = ended - call.began
        self.current = call.within
        entry = self.sums.get(call.name)
        if entry is None:
            name = call.name if len(self.sums) < MOST_NAMES else OTHERS
            entry = self.sums.setdefault(name, Sum())
        entry.count += call.count
        entry.seconds += seconds
        if seconds > entry.longest:
            entry.longest = seconds
        if call.within is None:
            self.worked += seconds
            if seconds >= self.stall:
                self._look_for_stall(call, seconds)
        elif call.stack:
            # What blocks this one blocks that.
            call.within.stack = call.stack
        if self._spans is not None:
            detail = self._detail(call.about)
            self._spans.span(
                call.name,
                call.began,
                ended,
                category="callback",
                details={"of": detail} if detail else None,
            )

    def leave(self) -> Call | None:
        """What is under way pauses, as it does when its greenlet is left.

        It has ended as far as stalls go. Returns what `come_back` takes.
        """
        call, self.current = self.current, None
        if call is not None:
            outermost = call.outermost
            self._look_for_stall(outermost, self.now() - outermost.began)
        return call

    def come_back(self, call: Call | None) -> None:
        """It goes on."""
        self.current = call
        while call is not None:
            call.began, call.stack = self.now(), ()
            call = call.within

    def _look_for_stall(self, call: Call, seconds: float) -> None:
        if seconds >= self.stall:
            self.stalls += 1
            self.stalled += seconds
            self._on_stall(Stall(self.named(call), seconds, call.stack))

    def turn(self, began: float) -> None:
        """A poll has ended, which began then: so does a turn."""
        ended = self.now()
        seconds = ended - began
        self.turns += 1
        # One that a callback runs within itself waits in that one's time.
        if self.current is None:
            self.waited += seconds
        if self._spans is not None:
            self._spans.span("poll", began, ended, category="wait")

    def late(self, seconds: float) -> None:
        """A timer has run so much behind its time."""
        self.latest = max(self.latest, seconds)

    def figures(self) -> dict[str, object]:
        """All that was added up, for a program; times are in seconds."""
        return {
            "wall": self.now() - self._began,
            "waited": self.waited,
            "worked": self.worked,
            "stalled": self.stalled,
            "stalls": self.stalls,
            "turns": self.turns,
            "latest_timer": self.latest,
            "callbacks": [
                {
                    "name": name,
                    "count": entry.count,
                    "total": entry.seconds,
                    "longest": entry.longest,
                }
                for name, entry in self._largest()
            ],
        }

    def summary(self) -> str:
        """The same for people, on some lines."""
        wall = max(self.now() - self._began, 1e-9)
        turns = (
            f"{self.turns} turns: waiting {self.waited / wall:.0%}, "
            if self.sees_turns
            else "turns of a loop that shows none: "
        )
        lines = [
            f"{wall:.2f} s, {turns}"
            f"working {self.worked / wall:.0%}, stalled {self.stalled / wall:.0%} "
            f"({self.stalls} times); the latest timer {self.latest * 1000:.1f} ms late"
        ]
        largest = self._largest()
        if largest:
            lines.append(f"{'total':>10} {'count':>9} {'longest':>10}")
        for name, entry in largest:
            lines.append(
                f"{entry.seconds:>8.3f} s {entry.count:>9} "
                f"{entry.longest * 1000:>7.1f} ms  {name}"
            )
        return "".join(f"{line}\n" for line in lines)

    def _largest(self) -> list[tuple[str, Sum]]:
        in_order = sorted(self.sums.items(), key=lambda item: -item[1].seconds)
        return in_order[:SHOWN]
