"""How fast requests may follow one another, in all and to each origin. Pure.

A pace spaces requests evenly. The time to the next is counted from when one really
began, so no window of time has more of them than the rate says: what began late is not
made up for.

A response of 429 or 503 slows the pace of its origin as TCP slows down on a loss: it is
halved once for all requests that were under way, and each good response lets it recover
a step.
"""

from __future__ import annotations

import math

from nbtwisted.client.request.retrying import LONGEST_WAIT
from nbtwisted.client.target import Origin
from nbtwisted.rate import check_rate

__all__ = ["FINEST", "REFUSALS", "Pace", "Pacing"]

REFUSALS = frozenset((429, 503))
"""Statuses by which a server asks for fewer requests."""

FINEST = 0.002
"""Seconds: timers are no finer. A pace with less between two requests may make up for
so much of its lateness."""

LOWEST = 1 / 60
"""Requests a second; no refusal makes a pace slower than that."""

STEP = 0.2
"""Requests a second by which each good response makes a slowed pace faster. More come
of a faster one: whatever the pace, it doubles in 3.5 s. A twentieth of the pace at each
would let a server of 50 a second refuse as many as it answers, and this one in twenty.
"""

FEWEST = 20
"""Requests a second that an origin without a limit is taken to have had, at least: one
request that is tried again says nothing of a pace."""

UNFELT = 1000.0
"""Requests a second, above which a pace that had no limit has none again."""

FORGOTTEN = 600.0
"""Seconds after which nobody remembers that an origin was slowed."""

FEWEST_KEPT = 1000
"""Paces that are kept before those that are as new are looked for."""

ROUNDING = 1e-9
"""Seconds by which sums of floats may differ."""


class Pace:
    """One pace: of `rate` requests a second, evenly spaced; infinity is none."""

    __slots__ = ("_given", "_next", "_rate", "_recovered", "_slowed_at")

    def __init__(self, rate: float = math.inf) -> None:
        self._given = self._rate = rate
        # The rate at which it is as it was given.
        self._recovered = rate
        self._next = self._slowed_at = -math.inf

    def wait(self, now: float) -> float:
        """Seconds until the next request may begin; 0 if it may now."""
        wait = self._next - now
        return wait if wait > ROUNDING else 0.0

    def take(self, now: float) -> None:
        """Count a request that begins now, whether its time has come or not."""
        gap = 1 / self._rate
        earliest = now if gap >= FINEST else now - FINEST
        self._next = max(self._next, earliest) + gap

    def slow(
        self, now: float, retry_after: float = 0.0, *, began: float, sent: int = 0
    ) -> None:
        """Slow down, because a request that `began` then was refused.

        The next begins when `retry_after` seconds have passed, a minute at most, and
        those behind it at half the pace: of what it was, or, if there was no limit,
        of the `sent` requests of the last second.
        """
        # What began before the pace was halved does not halve it again.
        if began > self._slowed_at:
            before = self._rate
            if before == math.inf:
                before = float(max(sent, FEWEST))
                self._recovered = max(before, UNFELT)
            self._rate = min(before, max(before / 2, LOWEST))
            self._slowed_at = now
        pause = max(min(retry_after, LONGEST_WAIT), 1 / self._rate)
        self._next = max(self._next, now + pause)

    def recover(self, began: float) -> None:
        """Recover a step, because a request that `began` then was answered well."""
        if self._rate == self._given or began <= self._slowed_at:
            return
        self._rate += STEP
        if self._rate >= self._recovered:
            self._rate = self._recovered = self._given

    def is_as_new(self, now: float) -> bool:
        """Whether another in its place would make no difference."""
        quiet = now - self._next
        return quiet >= (0 if self._rate == self._given else FORGOTTEN)


class Pacing:
    """The paces of requests: in all, and of each origin.

    `rate` and `rate_per_host` are in requests a second; None is no limit. A refusal
    that says how long to wait slows its origin; one that does not, only if it
    `slows_unasked`, or if there is a rate.

    Raises `ValueError` for a rate that is none.
    """

    def __init__(
        self,
        rate: float | None = None,
        rate_per_host: float | None = None,
        *,
        slows_unasked: bool = False,
    ) -> None:
        self.is_on = rate is not None or rate_per_host is not None
        """Whether anything may have to wait; once it may, this stays."""
        self._slows_unasked = slows_unasked or self.is_on
        self._in_all = Pace(_checked(rate))
        self._per_host = _checked(rate_per_host)
        # Those that are not as they were at the beginning, and some that are.
        self._paces: dict[Origin, Pace] = {}
        self._enough = FEWEST_KEPT
        # How many were sent to each origin in this second, and in the one before.
        self._sent: dict[Origin, int] = {}
        self._sent_before: dict[Origin, int] = {}
        self._second = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a request may begin, as far as all of them are concerned."""
        return self._in_all.wait(now)

    def wait_at(self, origin: Origin, now: float) -> float:
        """The same, as far as its origin is concerned."""
        pace = self._paces.get(origin)
        return 0.0 if pace is None else pace.wait(now)

    def take(self, origin: Origin, now: float) -> None:
        """Count an attempt that begins now."""
        if now - self._second >= 1:
            was_just_now = now - self._second < 2
            self._sent_before = self._sent if was_just_now else {}
            self._sent, self._second = {}, now
        self._sent[origin] = self._sent.get(origin, 0) + 1
        if not self.is_on:
            return
        self._in_all.take(now)
        pace = self._paces.get(origin)
        if pace is None:
            if self._per_host == math.inf:
                return
            pace = self._pace(origin, now)
        pace.take(now)

    def refused(
        self, origin: Origin, now: float, retry_after: float, *, began: float
    ) -> None:
        """Note that a server wants fewer requests; `retry_after` is 0 if unsaid."""
        if not (retry_after or self._slows_unasked):
            return
        self.is_on = True
        sent = max(self._sent.get(origin, 0), self._sent_before.get(origin, 0))
        pace = self._paces.get(origin) or self._pace(origin, now)
        pace.slow(now, retry_after, began=began, sent=sent)

    def answered(self, origin: Origin, *, began: float) -> None:
        """Note any other response."""
        pace = self._paces.get(origin)
        if pace is not None:
            pace.recover(began)

    def _pace(self, origin: Origin, now: float) -> Pace:
        """A pace for an origin that has none; those that nobody misses are forgotten.

        A list may have a hundred thousand hosts.
        """
        if len(self._paces) >= self._enough:
            kept = {o: p for o, p in self._paces.items() if not p.is_as_new(now)}
            self._paces, self._enough = kept, max(2 * len(kept), FEWEST_KEPT)
        pace = self._paces[origin] = Pace(self._per_host)
        return pace


def _checked(rate: float | None) -> float:
    return math.inf if rate is None else check_rate(rate)
