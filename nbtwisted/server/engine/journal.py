"""The journal: the last requests and their ends, and totals of all. Pure."""

from __future__ import annotations

import bisect
import marshal
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from operator import attrgetter
from typing import Any

from nbtwisted.server.model.headers import (
    LONGEST_KEPT,
    MOST_KEPT,
    RequestHeaders,
    parse_lines,
)
from nbtwisted.server.model.key import LONGEST_KEY, default_key
from nbtwisted.server.model.request import Request

__all__ = [
    "IN_FLIGHT",
    "JOURNAL_SIZE",
    "LATENESS_BUCKETS",
    "Entry",
    "Journal",
    "Totals",
    "entry_of",
]

JOURNAL_SIZE = 1_000
"""Requests that are over and remembered: each takes about 0.5 KB, 8 KB at most."""

LATENESS_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Seconds: upper bounds of the histogram; Prometheus' own, and 1 and 2.5 ms."""

IN_FLIGHT = "in flight"
"""The outcome of a request that is not over."""

LONGEST_TARGET_KEPT = 1024
"""Bytes to which the journal cuts a target."""


@dataclass(eq=False)
class Entry:
    """One request. Its bytes are decoded when somebody looks.

    came      Unix time, in seconds
    peer      the client's address
    method, target, version
              as they came, cut if they are long
    block     the header block, without secrets
    own_key   the key, where it is not that of the method and the target
    rule      the name of the rule that acted
    asked     seconds that the response was to wait; None until they are known
    held      seconds that it was held; None until then, and if the client left. The
              upstream's time is not among them
    asking_since
              Unix time at which the proxy asked its upstream; None if it did not
    upstream  seconds from then to the head of the upstream's answer, or until it
              failed; None until then
    upstream_error
              the phase in which the upstream failed, and how: `connect: refused`
    took      seconds until it was over, with what was sent and read; None until then
    status    None if no status was sent
    fault     the name of the fault that was carried out
    sent      bytes of the body
    outcome   `in flight`, and then one of

        answered    the whole response was handed to the kernel, or to its buffers
        broken      the fault was carried out
        cancelled   the client left before
        failed      the server has a fault of its own, and answered 500
        released    a reset let it go before it was due
        timed out   the client took nothing for as long as `--send-timeout`
        upstream failed
                    the upstream gave no whole answer: `upstream_error` says why
    """

    came: float
    peer: str
    method: bytes
    target: bytes
    version: bytes
    block: bytes
    own_key: str | None = None
    rule: str | None = field(default=None, init=False)
    asked: float | None = field(default=None, init=False)
    held: float | None = field(default=None, init=False)
    asking_since: float | None = field(default=None, init=False)
    upstream: float | None = field(default=None, init=False)
    upstream_error: str | None = field(default=None, init=False)
    took: float | None = field(default=None, init=False)
    status: int | None = field(default=None, init=False)
    fault: str | None = field(default=None, init=False)
    sent: int = field(default=0, init=False)
    outcome: str = field(default=IN_FLIGHT, init=False)
    number: int = field(default=0, init=False)

    @property
    def key(self) -> str:
        """The name of the request for draws."""
        if self.own_key is None:
            return (self.method + b" " + self.target).decode("latin-1")
        return self.own_key

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The header fields; the values of a repeated one are joined with commas."""
        grouped = RequestHeaders(parse_lines(self.block)[0]).grouped()
        return [
            (name[:LONGEST_KEPT], b",".join(values)[:LONGEST_KEPT])
            for name, values in islice(grouped, MOST_KEPT)
        ]

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
            "rule": self.rule,
            "asked": self.asked,
            "held": self.held,
            "upstream": self.upstream,
            "upstream_error": self.upstream_error,
            "took": self.took,
            "status": self.status,
            "fault": self.fault,
            "sent": self.sent,
            "outcome": self.outcome,
        }


def entry_of(request: Request, came: float) -> Entry:
    """The entry of a request that came at `came`, in Unix time."""
    method, target = request.method, request.target
    own_key = None if target else ""
    if len(method) + len(target) >= LONGEST_KEY:
        own_key = default_key(method, target)
    return Entry(
        came,
        request.addresses.peer,
        method[:LONGEST_KEPT],
        target[:LONGEST_TARGET_KEPT],
        request.version,
        request.headers.kept,
        own_key,
    )


@dataclass
class Totals:
    """Counts of the requests that are over.

    by_rule           requests by the rule that acts, those in flight, too
    lateness          the sum, in seconds
    lateness_counts   responses by the first of `LATENESS_BUCKETS` that they fit, and
                      at the end those that fit none
    """

    by_status_and_fault: Counter[tuple[int | None, str | None]] = field(
        default_factory=Counter
    )
    outcomes: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)
    lateness: float = 0.0
    lateness_counts: list[int] = field(
        default_factory=lambda: [0] * (len(LATENESS_BUCKETS) + 1)
    )

    def count_late(self, seconds: float) -> None:
        """Count a response that was so late."""
        self.lateness += seconds
        self.lateness_counts[bisect.bisect_left(LATENESS_BUCKETS, seconds)] += 1


class Journal:
    """The last `size` requests, and the totals of all since the last reset.

    An entry that waited is kept in one piece of memory. It would otherwise be several
    small objects, strewn over the memory of the connections that came at the same time,
    and of that the kernel gets nothing back while they are there.
    """

    def __init__(self, size: int = JOURNAL_SIZE) -> None:
        self.totals = Totals()
        self._in_flight: dict[int, Entry] = {}
        self._over: deque[Entry | bytes] = deque(maxlen=size)
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
        """Add a request that came, and number it."""
        self._last_number += 1
        entry.number = self._last_number
        self._in_flight[entry.number] = entry
        if entry.rule is not None:
            self.totals.by_rule[entry.rule] += 1

    def end(self, entry: Entry) -> None:
        """Move a request to those that are over, and count it."""
        del self._in_flight[entry.number]
        if entry.number <= self._forgotten:
            return
        self._over.append(marshal.dumps(vars(entry)) if entry.asked else entry)
        totals = self.totals
        totals.by_status_and_fault[entry.status, entry.fault] += 1
        totals.outcomes[entry.outcome] += 1
        if entry.held is not None and entry.outcome != "released":
            totals.count_late(max(entry.held - (entry.asked or 0.0), 0.0))

    def entries(
        self,
        *,
        since: int | datetime = 0,
        key: str | None = None,
        rule: str | None = None,
    ) -> Iterator[Entry]:
        """The requests that came after a number or a time, oldest first.

        `key` and `rule` are those that they are to have, if they are given.
        """
        over = map(_unpacked, self._over)
        for entry in sorted(
            (*over, *self._in_flight.values()), key=attrgetter("number")
        ):
            came_later = (
                entry.number > since if isinstance(since, int) else entry.time > since
            )
            if (
                came_later
                and entry.number > self._forgotten
                and key in (None, entry.key)
                and rule in (None, entry.rule)
            ):
                yield entry

    def newest_in_flight(self) -> Iterator[Entry]:
        """The requests that are not over, the newest first, as they are taken."""
        return reversed(self._in_flight.values())

    def latest_over(self) -> Iterator[Entry]:
        """The requests that are over, the last to end first, as they are taken."""
        return map(_unpacked, reversed(self._over))

    def reset(self) -> None:
        """Forget all requests. Numbers go on, so that `since` stays unambiguous."""
        self._over.clear()
        self._forgotten = self._last_number
        self.totals = Totals()


def _unpacked(kept: Entry | bytes) -> Entry:
    if isinstance(kept, Entry):
        return kept
    entry = Entry.__new__(Entry)
    vars(entry).update(marshal.loads(kept))
    return entry


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
