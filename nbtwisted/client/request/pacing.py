"""How fast requests may follow one another, in all and to each origin. Pure.

A pace spaces requests evenly. The time to the next is counted from when one really
began, so no window of time has more of them than the rate says: what began late is not
made up for.

A response of 429 or 503 slows the pace of its origin as DCTCP slows down: by half of
the share of responses that were such refusals, once for all requests that were under
way; and each good response lets it recover a step. So a server that refuses nearly all
has its pace halved again and again, and one that fails now and then keeps its own.

https://www.rfc-editor.org/rfc/rfc8257
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
of a faster one: whatever the pace, it doubles in 3.5 s."""

REMEMBERED = 32
"""Responses, of which the share that were refusals is taken; older ones count less."""

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

    __slots__ = (
        "_answered",
        "_before",
        "_given",
        "_next",
        "_rate",
        "_recovered",
        "_refused",
        "_seen",
        "_slowed_at",
    )

    def __init__(self, rate: float = math.inf) -> None:
        self._given = self._rate = rate
        # The rate at which it is as it was given.
        self._recovered = rate
        self._next = self._slowed_at = -math.inf
        # How many responses were refusals, of how many; older ones count less.
        self._refused = self._seen = 0.0
        # What it was before it was slowed, and how many were answered in a second then.
        self._before, self._answered = rate, 0

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
        self, now: float, retry_after: float = 0.0, *, began: float, answered: int = 0
    ) -> None:
        """Slow down, because a request that `began` then was refused.

        The next begins when `retry_after` seconds have passed, a minute at most, and
        those behind it at a slower pace: of what it was, or, if there was no limit, of
        those that were `answered` in the last second.
        """
        if not self._seen:
            self._seen = float(min(answered, REMEMBERED))
        self._note(refused=True)
        # What began before it was slowed does not slow it again, but says how much.
        if began > self._slowed_at:
            self._before, self._answered = self._rate, max(answered, FEWEST)
            self._slowed_at = now
        share, before = self._refused / self._seen, self._before
        if before == math.inf:
            # Half of it where all are refused, and no limit where nearly none is.
            slowed = self._answered * (1 / share - 0.5)
            self._recovered = max(slowed, UNFELT)
        else:
            slowed = before * (1 - share / 2)
        self._rate = min(self._rate, max(slowed, min(before, LOWEST)))
        pause = max(min(retry_after, LONGEST_WAIT), 1 / self._rate)
        self._next = max(self._next, now + pause)

    def recover(self, began: float) -> None:
        """Recover a step, because a request that `began` then was answered well."""
        self._note(refused=False)
        if self._rate == self._given or began <= self._slowed_at:
            return
        self._rate += STEP
        if self._rate >= self._recovered:
            self._rate = self._recovered = self._given

    def _note(self, *, refused: bool) -> None:
        stays = 1 - 1 / REMEMBERED
        self._refused = self._refused * stays + refused
        self._seen = self._seen * stays + 1

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
        # How many each origin has answered in this second, and in the one before.
        self._answered: dict[Origin, int] = {}
        self._answered_before: dict[Origin, int] = {}
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
        self._look_at(now)
        answered = self._answered.get(origin, 0), self._answered_before.get(origin, 0)
        pace = self._paces.get(origin) or self._pace(origin, now)
        pace.slow(now, retry_after, began=began, answered=max(answered))

    def answered(self, origin: Origin, now: float, *, began: float) -> None:
        """Note any other response."""
        self._look_at(now)
        self._answered[origin] = self._answered.get(origin, 0) + 1
        pace = self._paces.get(origin)
        if pace is not None:
            pace.recover(began)

    def _look_at(self, now: float) -> None:
        """Begin to count anew where a second is over."""
        if now - self._second >= 1:
            was_just_now = now - self._second < 2
            self._answered_before = self._answered if was_just_now else {}
            self._answered, self._second = {}, now

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
