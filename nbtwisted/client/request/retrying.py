"""Whether to try again, and when. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timezone

from nbtwisted.client.errors import (
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    EmptyResponse,
    FirstByteTimeout,
    NameNotResolved,
    ProxyNotResolved,
    ResponseCutShort,
    SendFailed,
    SOCKSFailed,
    TunnelFailed,
)
from nbtwisted.client.job import is_idempotent
from nbtwisted.client.result import Attempt, Head
from nbtwisted.numeral import parse_whole_number

__all__ = ["LONGEST_WAIT", "Retries", "retry_after"]

LONGEST_WAIT = 60.0
"""Seconds between two attempts, at most, whatever a server asks for."""

_LONGEST_DATE = 100
"""Characters; the longest form that HTTP has takes 33."""

_STATUSES = {408, 429, 500, 502, 503, 504}
_ERRORS = (
    ResponseCutShort,
    ConnectFailed,
    ConnectTimeout,
    ConnectionLost,
    EmptyResponse,
    FirstByteTimeout,
    NameNotResolved,
    ProxyNotResolved,
    SendFailed,
)


@dataclass(frozen=True)
class Retries:
    """How often to try again, and how long to wait before.

    The wait before the nth retry is drawn from 0 to `delay` seconds times two to the
    power of n - 1 ("full jitter": so that clients which failed together do not come
    back together), and is never longer than a minute. No retry begins when `max_time`
    seconds have passed.

    A request whose method is not idempotent (RFC 9110, 9.2.2), such as a POST, is made
    once, unless `all_methods` may be repeated.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    number: int = 0
    delay: float = 1.0
    max_time: float = math.inf
    all_methods: bool = False

    def may_repeat(self, method: str) -> bool:
        """Whether a request may be sent again that may have arrived."""
        return self.all_methods or is_idempotent(method)

    def wait(
        self,
        attempt: Attempt,
        *,
        before: int,
        passed: float,
        now: float,
        draw: Callable[[], float],
    ) -> float | None:
        """Seconds to wait after `attempt` until the next; None if there is to be none.

        `before` is the number of the retry, from 1, `passed` the seconds since the
        first attempt began, `now` Unix time, and `draw` gives numbers from 0 to 1.
        """
        if before > self.number or not _is_passing(attempt):
            return None
        if not self.may_repeat(attempt.message.method):
            return None
        # Powers beyond are longer than the longest wait, and too large for a float.
        longest = min(self.delay * 2.0 ** min(before - 1, 100), LONGEST_WAIT)
        wait = draw() * longest
        if attempt.error is None and attempt.head is not None:
            wait = max(wait, min(retry_after(attempt.head, now), LONGEST_WAIT))
        return wait if passed + wait <= self.max_time else None


def _is_passing(attempt: Attempt) -> bool:
    """Whether it may be otherwise next time."""
    if attempt.error is None:
        return attempt.status in _STATUSES
    if isinstance(attempt.error, (TunnelFailed, SOCKSFailed)):
        return attempt.error.may_pass
    return isinstance(attempt.error, _ERRORS)


def retry_after(head: Head, now: float) -> float:
    """The seconds that the response asks to wait, in either form; 0 if it does not."""
    for name, value in head.headers:
        if name.lower() != "retry-after":
            continue
        try:
            # Zeros have no limit but the head's.
            return float(parse_whole_number(value.lstrip("0") or "0"))
        except ValueError:
            return _until(value, now)
    return 0.0


def _until(value: str, now: float) -> float:
    """The seconds until a date; those of no date, and those that are past, are 0."""
    # Digits that are too many for a number are too many for a date as well.
    if value.isascii() and value.isdigit():
        return math.inf
    from email.utils import parsedate_to_datetime  # 3 ms

    try:
        date = parsedate_to_datetime(value[:_LONGEST_DATE])
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        return max(date.timestamp() - now, 0.0)
    # The library's for what it cannot make sense of.
    except (ValueError, OverflowError, TypeError, IndexError):
        return 0.0
