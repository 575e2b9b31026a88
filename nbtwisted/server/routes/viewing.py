"""Frames of the live page, made from a journal. Pure.

A frame has the changes since the viewer's frame before it, so a slow viewer misses none
for good. Its cost does not grow with the requests in flight: ten thousand are a hundred
rows and an `Overview`, which all viewers share. (A viewer of one key has all requests
in flight searched for it.)
"""

from __future__ import annotations

import bisect
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from operator import attrgetter
from typing import Any

from nbtwisted.printable import printable_ends
from nbtwisted.server.engine.journal import IN_FLIGHT, LATENESS_BUCKETS, Entry, Journal
from nbtwisted.server.routes.viewing_rules import RulesViewer
from nbtwisted.server.rules.in_force import Rules

__all__ = ["MOST_HELD", "MOST_ROWS", "SECONDS_AFTER_END", "Overview", "Viewer", "event"]

MOST_ROWS = 100
"""Requests that a viewer is shown at a time."""

MOST_HELD = 80
"""Of these, requests in flight. The rest is room for requests that come and end while
ten thousand are held: a fault, or a client that leaves."""

SECONDS_AFTER_END = 5.0
"""Seconds for which a request is shown after its end."""

SECONDS_BETWEEN_OVERVIEWS = 1.0
"""An overview of ten thousand requests takes 3 ms."""

FEW = 500
"""Requests in flight, up to which every frame has a new overview."""

LONGEST_SHOWN = 256
"""Characters of a target or a key."""

STEPS = 80
SECONDS_A_STEP = (0.25, 1.0, 5.0, 15.0, 60.0)
SHARE_TO_FIT = 0.95
"""Of the requests that wait, those in the picture: one that waits for an hour must not
flatten it."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


def event(name: str, value: object) -> bytes:
    """A server-sent event whose data is `value` as JSON."""
    return f"event: {name}\ndata: {_encode(value)}\n\n".encode()


class Overview:
    """The times at which all waiting requests are due.

    If they are many, they are counted once a second for all viewers.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen_at = -math.inf
        self._seen: dict[str, Any] = {}

    def at(self, now: float) -> dict[str, Any]:
        """The overview: the same object until it is made anew.

        waiting  how many wait for their delay
        asking   how many wait for a proxy's upstream
        sending  how many do not: they are being sent, or stall
        start    Unix time at which the first step begins
        step     seconds
        due      how many are due in each step; what is late, in the first
        later    how many are due after the last
        """
        # The clock may be set back.
        age = abs(now - self._seen_at)
        is_quick = self._journal.in_flight <= FEW
        if age >= SECONDS_BETWEEN_OVERVIEWS or (is_quick and age > 0):
            self._seen_at = now
            self._seen = _overview(self._journal.newest_in_flight(), now)
        return self._seen


def _overview(entries: Iterable[Entry], now: float) -> dict[str, Any]:
    due, asking, sending = [], 0, 0
    for entry in entries:
        if entry.held is not None or entry.asked is None:
            sending += 1
        elif entry.asking_since is not None and entry.upstream is None:
            asking += 1
        else:
            due.append(entry.came + entry.asked + (entry.upstream or 0.0))
    due.sort()
    last_to_fit = due[math.ceil(len(due) * SHARE_TO_FIT) - 1] if due else now
    step = next(
        (step for step in SECONDS_A_STEP if last_to_fit < now + (STEPS - 1) * step),
        SECONDS_A_STEP[-1],
    )
    # Steps begin at multiples of their length, or the picture would flicker.
    start = now // step * step
    counts = Counter(max(int((moment - start) // step), 0) for moment in due)
    fit = [counts[number] for number in range(STEPS)]
    return {
        "waiting": len(due),
        "asking": asking,
        "sending": sending,
        "start": start,
        "step": step,
        "due": fit[: max((n for n in counts if n < STEPS), default=-1) + 1],
        "later": len(due) - sum(fit),
    }


class _Meter:
    """Reads the counts that a journal has added since the last reading."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._totals = journal.totals
        self._ended = self._totals.by_status_and_fault.copy()
        self._late = self._totals.lateness_counts.copy()

    def read(self) -> dict[str, Any]:
        """Requests that ended, by their ends: see `Viewer.frame`."""
        totals = self._journal.totals
        if totals is not self._totals:
            # There was a reset.
            self._totals, self._ended = totals, Counter()
            self._late = [0] * len(totals.lateness_counts)
        ended = totals.by_status_and_fault - self._ended
        late = [
            now - before
            for now, before in zip(totals.lateness_counts, self._late, strict=True)
        ]
        self._ended = totals.by_status_and_fault.copy()
        self._late = totals.lateness_counts.copy()
        statuses: Counter[str] = Counter()
        faults: Counter[str] = Counter()
        failed = 0
        for (status, fault), count in ended.items():
            if status is None or status >= 500 or fault is not None:
                failed += count
            statuses[str(status or "none")] += count
            if fault is not None:
                faults[fault] += count
        return {
            "ended": ended.total(),
            "failed": failed,
            "statuses": statuses,
            "faults": faults,
            "lateness": _lateness(late),
        }


def _lateness(counts: list[int]) -> dict[str, float | None] | None:
    """Upper bounds of the buckets of the median and of the 99th percentile."""
    if not any(counts):
        return None
    reached = list(accumulate(counts))
    bounds = (*LATENESS_BUCKETS, None)

    def bound(share: float) -> float | None:
        return bounds[bisect.bisect_left(reached, share * reached[-1])]

    return {"p50": bound(0.5), "p99": bound(0.99)}


_CHANGING = (
    *("held", "asking_since", "upstream", "upstream_error"),
    *("status", "fault", "sent", "outcome"),
)
"""The fields of an entry that can change while it is shown."""

_state_of = attrgetter(*_CHANGING)


@dataclass(slots=True)
class _Row:
    """A request that a viewer is shown."""

    entry: Entry
    told: tuple[object, ...] = ()
    """The values of `_CHANGING`."""
    ended: float | None = None
    """Unix time, as nearly as the journal knows it."""
    leaves: float = math.inf

    def look(self, now: float) -> bool:
        """Look at the request; returns whether it has changed."""
        if self.ended is not None:
            return False
        entry = self.entry
        state = _state_of(entry)
        if state == self.told:
            return False
        if entry.outcome != IN_FLIGHT:
            was_sending = bool(self.told) and self.told[0] is not None
            self.ended = now
            if entry.held is not None and not (
                was_sending or entry.outcome == "cancelled"
            ):
                self.ended = entry.came + entry.held + (entry.upstream or 0.0)
            self.leaves = now + SECONDS_AFTER_END
        self.told = state
        return True

    def change(self) -> dict[str, Any]:
        """The fields that can change."""
        told = dict(zip(_CHANGING, self.told, strict=True))
        return {"id": self.entry.number, **told, "ended": self.ended}

    def whole(self) -> dict[str, Any]:
        """All fields."""
        entry = self.entry
        return {
            **self.change(),
            "came": entry.came,
            "peer": entry.peer,
            "method": _shown(entry.method.decode("ascii", "backslashreplace")),
            "target": _shown(entry.target.decode("utf-8", "backslashreplace")),
            "key": _shown(entry.key),
            "asked": entry.asked,
            "rule": entry.rule,
        }


class Viewer:
    """A viewer of a journal, of the requests whose key has `key` in it, and of rules.

    A request that is shown stays until it ends, and for `SECONDS_AFTER_END` more unless
    its room is needed. The newest requests take the room that is left.
    """

    def __init__(
        self, journal: Journal, overview: Overview, rules: Rules, key: str = ""
    ) -> None:
        self._journal = journal
        self._overview = overview
        self._rules = RulesViewer(rules, journal)
        self._key = key
        self._meter = _Meter(journal)
        self._rows: dict[int, _Row] = {}
        self._before: float | None = None
        self._told: dict[str, Any] | None = None
        self._matching = 0

    def frame(self, now: float, *, is_draining: bool) -> dict[str, Any]:
        """The frame at `now`, in Unix time; the first one has all rows.

        now        as given
        since      seconds since the frame before
        counts     in flight, requests, and outcomes since the last reset
        draining   whether the server is about to stop
        ended      requests that ended since the frame before, of whatever key
        failed     of these, with a fault, with a status above 499, or with none
        statuses   these by status
        faults     those with a fault, by its name
        lateness   of these: upper bounds (seconds) of the buckets in which their
                   median is, and their 99th percentile; None for above the last
        changes    the new state of requests that are shown
        gone       the ids of those that are not shown any more
        rows       requests that are shown from now on
        shown, of  how many in flight are shown, and of how many with such a key
        overview   `Overview.at`, if it is new
        rules, acted
                   `RulesViewer.changes`, where there are some
        """
        journal = self._journal
        since = 0.0 if self._before is None else max(now - self._before, 0.0)
        self._before = now
        read = self._meter.read()
        overview = self._overview.at(now)
        is_new = overview is not self._told
        self._told = overview
        told = self._look_at_rows(now, read["ended"])
        frame = {
            "now": now,
            "since": since,
            "counts": {
                "in_flight": journal.in_flight,
                "requests": journal.came,
                **journal.totals.outcomes,
            },
            "draining": is_draining,
            **read,
            **told,
            "shown": sum(row.ended is None for row in self._rows.values()),
            "of": self._of(is_new),
            **self._rules.changes(),
        }
        if is_new:
            frame["overview"] = overview
        return frame

    def _look_at_rows(self, now: float, ended: int) -> dict[str, Any]:
        rows = self._rows
        shown_before = set(rows)
        changes = [row.change() for row in rows.values() if row.look(now)]
        # One that would leave later than it can: the clock was set back.
        gone = [
            number
            for number, row in rows.items()
            if row.ended is not None and not 0 < row.leaves - now <= SECONDS_AFTER_END
        ]
        for number in gone:
            del rows[number]
        held = sum(row.ended is None for row in rows.values())
        begun = self._newest(
            self._journal.newest_in_flight(), shown_before, MOST_HELD - held
        )
        over = [number for number, row in rows.items() if row.ended is not None]
        for number in over[: max(len(rows) + len(begun) - MOST_ROWS, 0)]:
            del rows[number]
            gone.append(number)
        room = MOST_ROWS - len(rows) - len(begun)
        # Requests that came and ended since the frame before.
        just_ended = islice(self._journal.latest_over(), ended)
        begun += self._newest(just_ended, shown_before, room)
        new = [_Row(entry) for entry in sorted(begun, key=attrgetter("number"))]
        for row in new:
            row.look(now)
            rows[row.entry.number] = row
        return {"changes": changes, "gone": gone, "rows": [row.whole() for row in new]}

    def _newest(
        self, entries: Iterator[Entry], shown: set[int], room: int
    ) -> list[Entry]:
        if room <= 0:
            return []
        wanted = (e for e in entries if e.number not in shown and self._key in e.key)
        return list(islice(wanted, room))

    def _of(self, is_time_to_look: bool) -> int:
        if not self._key:
            return self._journal.in_flight
        if is_time_to_look:
            entries = self._journal.newest_in_flight()
            self._matching = sum(self._key in entry.key for entry in entries)
        return self._matching


def _shown(text: str) -> str:
    if len(text) <= LONGEST_SHOWN and text.isprintable():
        return text
    return printable_ends(text, longest=LONGEST_SHOWN)
