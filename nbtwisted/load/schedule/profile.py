"""How a rate goes over time: ramps and holds, and when each request is due. Pure.

Requests have positions: 0, 1, 2 and so on. The area below the rate, from the beginning
to a moment, is how many are due before that moment. So the moment of a position is the
inverse of that area: errors do not add up, however long a run is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from nbtwisted.duration import parse_duration
from nbtwisted.rate import HIGHEST, parse_rate

__all__ = ["Profile", "Stage"]

EXPECTED = (
    "stages such as 100..1000/1m,1000/5m,0, where A..B/DURATION goes from A to B "
    "requests a second, RATE/DURATION stays at a rate, and RATE alone, as the last, "
    f"goes on without an end (0 is the end); at most {HIGHEST:,.0f}/s"
)
"""What to tell someone whose stages could not be read."""

LONGEST = 200
"""Characters of a stage, which a pattern may look at more than once."""

# A rate's unit is a letter, and no duration begins with one. The rest is for theirs.
_RATE = r"[0-9.]+?(?:/[a-z])?"
_STAGE = re.compile(rf"({_RATE})(?:(\.\.)({_RATE}))?(?:/([0-9.]+[a-z]*))?")


@dataclass(frozen=True)
class Stage:
    """A time in which the rate goes evenly from one to another, or stays."""

    seconds: float
    """How long it is; infinite if it has no end."""
    begins_at: float
    """Requests a second at its beginning."""
    ends_at: float
    """Requests a second at its end."""

    @classmethod
    def parse(cls, text: str) -> Stage:
        """Read `A..B/DURATION`, `RATE/DURATION`, or a `RATE` that has no end.

        Raises `ValueError`, whose text says what was expected.
        """
        seconds = math.inf
        match = _STAGE.fullmatch(text) if len(text) <= LONGEST else None
        try:
            # 1...5 might be to 5 or to .5.
            if match is None or "..." in text:
                raise ValueError
            first, dots, second, duration = match.groups()
            if duration:
                seconds = parse_duration(duration)
            begins_at = parse_rate(first, may_be_zero=True)
            ends_at = parse_rate(second, may_be_zero=True) if dots else begins_at
        except ValueError:
            raise ValueError(f"expected {EXPECTED}") from None
        if not seconds:
            raise ValueError("expected a duration above 0")
        if dots and seconds == math.inf:
            raise ValueError("expected a duration behind a ramp, as in 100..1000/1m")
        return cls(seconds, begins_at, ends_at)

    @property
    def is_hold(self) -> bool:
        """Whether the rate stays."""
        return self.begins_at == self.ends_at

    @property
    def requests(self) -> float:
        """How many are due in it."""
        return self.before(self.seconds)

    def rate(self, seconds: float) -> float:
        """Requests a second, so long after it began."""
        if self.is_hold:
            return self.begins_at
        return self.begins_at + self._slope * seconds

    def before(self, seconds: float) -> float:
        """How many requests are due in the first so many seconds of it."""
        mean = (self.begins_at + self.rate(seconds)) / 2
        # Nothing, also where it has no end.
        return mean * seconds if mean else 0.0

    def moment(self, position: float) -> float:
        """Seconds from its beginning until so many requests were due."""
        # A root of a quadratic equation, counted from the end at which the rate is
        # lower: so there is a sum below the square root, and not a difference in which
        # digits are lost. In this form it is right for any slope.
        is_rising = self.begins_at <= self.ends_at
        lower = self.begins_at if is_rising else self.ends_at
        requests = position if is_rising else self.requests - position
        if requests <= 0:
            seconds = 0.0
        else:
            root = math.sqrt(lower**2 + 2 * abs(self._slope) * requests)
            # No moment is before the beginning, not even by a rounding.
            seconds = min(2 * requests / (lower + root), self.seconds)
        return seconds if is_rising else self.seconds - seconds

    @property
    def _slope(self) -> float:
        return (self.ends_at - self.begins_at) / self.seconds


class _Span(NamedTuple):
    """A stage in its place."""

    stage: Stage
    began: float
    """When it begins, in seconds."""
    before: float
    """How many requests were due before it."""
    after: float
    """The same, at its end."""


class Profile:
    """Stages, one after the other. Times are in seconds since the first begins."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        self.stages = tuple(stages)
        self.seconds = 0.0
        """How long all of it is; infinite if it has no end."""
        self.requests = 0.0
        """How many are due in that time; those that are made are rounded up."""
        self._spans: list[_Span] = []
        for stage in self.stages:
            after = _tidied(self.requests + stage.requests)
            self._spans.append(_Span(stage, self.seconds, self.requests, after))
            self.seconds += stage.seconds
            self.requests = after

    def __eq__(self, other: object) -> bool:
        """Whether the other has the same stages."""
        return isinstance(other, Profile) and self.stages == other.stages

    def __hash__(self) -> int:
        """Equal for equal ones."""
        return hash(self.stages)

    @classmethod
    def hold(cls, rate: float, seconds: float = math.inf) -> Profile:
        """One rate for all of the time."""
        return cls([Stage(seconds, rate, rate)])

    @classmethod
    def parse(cls, text: str) -> Profile:
        """Read stages such as `100..1000/1m,1000/5m,0`.

        Raises `ValueError`, whose text says what was wrong, and what was expected.
        """
        stages = []
        for part in text.split(","):
            try:
                stages.append(Stage.parse(part.strip(" ")))
            except ValueError as error:
                if part == text:
                    raise
                raise ValueError(f"{part.strip(' ')!r}: {error}") from None
        if any(stage.seconds == math.inf for stage in stages[:-1]):
            raise ValueError("expected a duration for each stage but the last")
        # What has no end and asks for nothing is the end.
        if not stages[-1].requests and stages[-1].seconds == math.inf:
            stages.pop()
        profile = cls(stages)
        if not profile.requests:
            raise ValueError("no request is due: expected a rate above 0 for some time")
        return profile

    def rate(self, seconds: float) -> float:
        """Requests a second at a moment; 0 when all is over."""
        for span in self._spans:
            if seconds < span.began + span.stage.seconds:
                return span.stage.rate(seconds - span.began)
        return 0.0

    def before(self, seconds: float) -> float:
        """How many requests are due before a moment."""
        for span in self._spans:
            if seconds < span.began + span.stage.seconds:
                return span.before + span.stage.before(max(seconds - span.began, 0.0))
        return self.requests

    def moment(self, position: float) -> float:
        """When the request at a position is due; infinite if none has that position."""
        return next(self.moments([position]), math.inf)

    def moments(
        self, positions: Iterable[float], began: float = 0.0
    ) -> Iterator[float]:
        """When those at ascending positions are due, as far as there are any.

        It began at that reading of a clock, and these are readings as well.
        """
        spans = iter(self._spans)
        after = -math.inf
        for position in positions:
            while position >= after:
                span = next(spans, None)
                if span is None:
                    return
                stage, since, before, after = span
                since += began
                # Each request pays for what is done here: a hold does without a call.
                rate = stage.begins_at if stage.is_hold else 0.0
            if rate:
                yield since + (position - before) / rate
            else:
                yield since + stage.moment(position - before)


def _tidied(requests: float) -> float:
    """A whole number, where floats have missed one: 1.1 for 10 s are 11."""
    if requests == math.inf:
        return requests
    whole = round(requests)
    is_near = math.isclose(requests, whole, rel_tol=1e-12, abs_tol=1e-9)
    return float(whole) if is_near else requests
