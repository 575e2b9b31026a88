"""What was asked, and what became of it: the last requests, and totals of all. Pure."""

from __future__ import annotations

import bisect
import marshal
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

__all__ = [
    "IN_FLIGHT",
    "JOURNAL_SIZE",
    "LATENESS_BUCKETS",
    "Entry",
    "Journal",
    "Like",
    "Totals",
    "unpacked",
]

JOURNAL_SIZE = 1_000
"""Requests that are over and remembered; each takes 0.5 KB or so, 8 KB at most."""

LATENESS_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Seconds: upper bounds of the histogram; Prometheus' own, and 1 and 2.5 ms."""

IN_FLIGHT = "in flight"
"""The outcome of a request that is not over."""

LONGEST_TARGET = 1024
LONGEST_HEADER = 128
MOST_HEADERS = 32

_SECRET = frozenset((b"authorization", b"proxy-authorization", b"cookie"))


@dataclass(slots=True)
class Entry:
    """One request.

    `came` is in seconds of Unix time; `asked` and `held` are seconds, None until they
    are known: an answer that is never begun is not held for any time. `status` is None
    when no status was sent, and `sent` is bytes of the body. The outcome is `in flight`
    and then one of

        answered    the whole answer was handed to the kernel, or to its buffers
        broken      the fault was carried out
        cancelled   the client left before
        failed      the server has a fault of its own, and answered 500
        released    a reset let it go before it was due
    """

    came: float
    peer: str
    method: bytes
    target: bytes
    version: bytes
    headers: Sequence[tuple[bytes, bytes]]
    key: str = ""
    asked: float | None = None
    held: float | None = None
    status: int | None = None
    fault: str | None = None
    sent: int = 0
    outcome: str = IN_FLIGHT
    number: int = 0

    @classmethod
    def of(
        cls,
        came: float,
        peer: str,
        method: bytes,
        target: bytes,
        version: bytes,
        headers: Iterable[tuple[bytes, Sequence[bytes]]],
    ) -> Entry:
        """What is kept of a request: what is long is cut, what is secret left out."""
        kept = [
            (name[:LONGEST_HEADER], b",".join(values)[:LONGEST_HEADER])
            for name, values in headers
            if name.lower() not in _SECRET
        ]
        return cls(
            came,
            peer,
            method[:LONGEST_HEADER],
            target[:LONGEST_TARGET],
            version,
            kept[:MOST_HEADERS],
        )

    def count_sent(self, bytes_of_the_body: int) -> None:
        """Note that so many more were sent."""
        self.sent += bytes_of_the_body

    def packed(self) -> bytes:
        """The entry in one piece of memory; `Entry.unpacked` is the way back."""
        return marshal.dumps(tuple(getattr(self, name) for name in self.__slots__))

    @classmethod
    def unpacked(cls, packed: bytes) -> Entry:
        """What was packed."""
        return cls(*marshal.loads(packed))

    @property
    def time(self) -> datetime:
        """When it came."""
        return datetime.fromtimestamp(self.came, timezone.utc)

    def as_json(self) -> dict[str, Any]:
        """The entry as JSON values."""
        return {
            "id": self.number,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "peer": self.peer,
            "method": _text(self.method),
            "target": _text(self.target),
            "headers": {_text(name): _text(value) for name, value in self.headers},
            "key": self.key,
            "asked": self.asked,
            "held": self.held,
            "status": self.status,
            "fault": self.fault,
            "sent": self.sent,
            "outcome": self.outcome,
        }


@dataclass
class Totals:
    """Of the requests that are over. `lateness` is in seconds."""

    by_status_and_fault: Counter[tuple[int | None, str | None]] = field(
        default_factory=Counter
    )
    outcomes: Counter[str] = field(default_factory=Counter)
    lateness: float = 0.0
    lateness_counts: list[int] = field(
        default_factory=lambda: [0] * (len(LATENESS_BUCKETS) + 1)
    )
    """Answers, by the first of `LATENESS_BUCKETS` that they fit; the last fit none."""

    def count(self, status: int | None, fault: str | None, outcome: str) -> None:
        """Count a request that is over."""
        self.by_status_and_fault[status, fault] += 1
        self.outcomes[outcome] += 1

    def count_late(self, seconds: float) -> None:
        """Count an answer by how late it was."""
        self.lateness += seconds
        self.lateness_counts[bisect.bisect_left(LATENESS_BUCKETS, seconds)] += 1


Like = tuple[Entry, int, float, str, float]
"""An entry that is another but for its number, its time, its peer and `held`."""


class Journal:
    """The last `size` requests, and the totals of all since the last reset.

    Those that are over are kept packed. Each would otherwise be a dozen small objects,
    strewn over the memory of the connections that came at the same time: when ten
    thousand of these left, 40 MB of 150 could not be given back for it.
    """

    def __init__(self, size: int = JOURNAL_SIZE) -> None:
        self.totals = Totals()
        self._in_flight: dict[int, Entry] = {}
        self._over: deque[bytes | Like] = deque(maxlen=size)
        self._last_number = 0
        self._forgotten = 0

    @property
    def came(self) -> int:
        """Requests since the last reset."""
        return self._last_number - self._forgotten

    @property
    def in_flight(self) -> int:
        """Requests that are not over."""
        return len(self._in_flight)

    def begin(self, entry: Entry) -> None:
        """Note that a request came, and number it."""
        self._last_number += 1
        entry.number = self._last_number
        self._in_flight[entry.number] = entry

    def end(self, entry: Entry) -> None:
        """Note that it is over."""
        del self._in_flight[entry.number]
        if entry.number <= self._forgotten:
            return
        self._over.append(entry.packed())
        self.totals.count(entry.status, entry.fault, entry.outcome)
        if entry.outcome == "released":
            return
        if entry.asked is not None and entry.held is not None:
            self.totals.count_late(max(entry.held - entry.asked, 0.0))

    def note(self, like: Entry, came: float, peer: str, held: float) -> Like:
        """Note a request that was answered as soon as it came, as another was.

        What they have in common is kept once: this is what notes a hundred thousand
        a second. Returns what `unpacked` makes an entry of.
        """
        self._last_number = number = self._last_number + 1
        kept = (like, number, came, peer, held)
        self._over.append(kept)
        totals = self.totals
        totals.count(like.status, like.fault, like.outcome)
        totals.count_late(held)
        return kept

    def entries(
        self, *, since: int | datetime = 0, key: str | None = None
    ) -> Iterator[Entry]:
        """The requests that came after a number or a time, oldest first."""
        over = (unpacked(kept) for kept in self._over)
        for entry in sorted((*over, *self._in_flight.values()), key=_number):
            came_later = (
                entry.number > since if isinstance(since, int) else entry.time > since
            )
            if (
                came_later
                and entry.number > self._forgotten
                and key in (None, entry.key)
            ):
                yield entry

    def newest_in_flight(self) -> Iterator[Entry]:
        """Those that are not over, the newest first; it costs what is taken of it."""
        return reversed(self._in_flight.values())

    def latest_over(self) -> Iterator[Entry]:
        """Those that are over, the last one to end first; it costs what is taken."""
        return map(unpacked, reversed(self._over))

    def reset(self) -> None:
        """Forget what was. Numbers go on, so that `since` never means another one."""
        self._over.clear()
        self._forgotten = self._last_number
        self.totals = Totals()


def unpacked(kept: bytes | Like) -> Entry:
    """The entry that was kept."""
    if isinstance(kept, bytes):
        return Entry.unpacked(kept)
    like, number, came, peer, held = kept
    return replace(like, number=number, came=came, peer=peer, held=held)


def _number(entry: Entry) -> int:
    return entry.number


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
