"""The search for the highest rate at which a condition holds. Pure.

Theory of operation: a `Search` says which rate to try next, and is told what came of
it. It knows two ends: `low` is the highest rate that held, and `high` the lowest that
did not. While there is no `high`, it tries twice as many; while there is no `low`, half
as many; then the middle, by ratio, until the ends are within `CLOSE`. Then it confirms
each end by trials that count anew, because those which made it an end were chosen by
chance as well: of several rates that fail now and then, the one that failed is taken.
An end that most of these trials contradict was none, and the search goes on.

Noise: what disturbs a trial mostly makes it fail. So one that holds is believed until
the end, and one that fails is repeated, and the best of three counts. One that fails
while the client itself was held up does not even count, as long as these are few.
"""

from __future__ import annotations

import math
from enum import Enum

from nbtwisted.load.search.trial import Trial, Verdict
from nbtwisted.rate import HIGHEST, print_rate

__all__ = ["DEFAULT_RATE", "Search", "State"]

DEFAULT_RATE = 100.0
"""A second, of the first trial."""

LOWEST = 1.0
"""A second: who wants less than this tried begins below it."""

GROWTH = 2.0
CLOSE = 1.02
"""How many times the lower end the upper end may be."""

BEST_OF = 3
"""Trials of a rate of which most decide, before the ends are confirmed."""

CONFIRMATIONS = 5
"""Trials that confirm an end."""

MOST_DISTURBED = 4
"""Trials of a rate that do not count because the client was held up."""

MOST_TRIALS = 100
"""In all; 20 to 35 are usual."""


class State(Enum):
    """How far a search is; `_AFTER` has what may follow."""

    GROWING = "growing"
    """Each rate has held."""
    SHRINKING = "shrinking"
    """No rate has held."""
    BISECTING = "bisecting"
    """Between a rate that held and one that did not."""
    CONFIRMING_LOW = "confirming the lower end"
    CONFIRMING_HIGH = "confirming the upper end"
    FOUND = "found"
    """Over: both ends are confirmed, or there is no higher rate to try."""
    IMPOSSIBLE = "impossible"
    """Over: the lowest rate has failed, or nobody answers."""
    GIVEN_UP = "given up"
    """Over: `MOST_TRIALS` were not enough."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to try."""
        return self in (State.FOUND, State.IMPOSSIBLE, State.GIVEN_UP)


_ENDS = {State.CONFIRMING_LOW, State.CONFIRMING_HIGH}
_AFTER: dict[State, set[State]] = {
    State.GROWING: {
        State.SHRINKING,
        State.BISECTING,
        State.CONFIRMING_LOW,
        # The highest rate may be close to a lower end that is confirmed.
        State.CONFIRMING_HIGH,
        State.IMPOSSIBLE,
    },
    State.SHRINKING: {State.BISECTING, State.CONFIRMING_LOW, State.IMPOSSIBLE},
    State.BISECTING: _ENDS,
    # An end that was none may take back all that followed from it.
    State.CONFIRMING_LOW: {
        State.SHRINKING,
        State.BISECTING,
        State.CONFIRMING_HIGH,
        State.FOUND,
        State.IMPOSSIBLE,
    },
    State.CONFIRMING_HIGH: {
        State.GROWING,
        State.BISECTING,
        State.CONFIRMING_LOW,
        State.FOUND,
    },
    State.FOUND: set(),
    State.IMPOSSIBLE: set(),
    State.GIVEN_UP: set(),
}
"""A search may also stay where it is, and give up as long as it is not over."""


class Search:
    """Says which `rate` to try next, and takes what came of it.

    `first` is the rate of the first trial, a second.
    """

    def __init__(self, first: float = DEFAULT_RATE) -> None:
        self.state = State.GROWING
        self.trials: list[Trial] = []
        """All of them, in their order."""
        self.rate = first
        """What to try next; while it is not over."""
        self._lowest = min(self.rate, LOWEST)
        self._rates: dict[float, _Rate] = {}

    def add(self, trial: Trial) -> None:
        """Take what came of a trial of `rate`."""
        is_confirming = self.state in _ENDS
        self.trials.append(trial)
        self._rates.setdefault(trial.rate, _Rate()).add(trial, is_confirming)
        if all(each.is_unanswered for each in self.trials):
            # That nobody is there does not depend on how often one asks.
            self._go(State.IMPOSSIBLE)
        elif len(self.trials) >= MOST_TRIALS:
            self._decide()
            if not self.state.is_over:
                self._go(State.GIVEN_UP)
        else:
            self._decide()

    @property
    def title(self) -> str:
        """What is going on, for people: it stands before how a trial is doing."""
        known = [
            "" if self.low is None else f"{print_rate(self.low)} held",
            "" if self.high is None else f"{print_rate(self.high)} did not",
        ]
        so_far = ", ".join(filter(None, known))
        return (
            f"trial {len(self.trials) + 1} at {print_rate(self.rate)}"
            f"{so_far and f' ({so_far})'}: "
        )

    @property
    def low(self) -> float | None:
        """The highest rate that held, as far as is known."""
        return max((r for r, of in self._rates.items() if of.holds), default=None)

    @property
    def high(self) -> float | None:
        """The lowest rate that did not."""
        return min(
            (r for r, of in self._rates.items() if of.holds is False), default=None
        )

    @property
    def limited_by(self) -> str | None:
        """Why the client could not ask as fast as `high`, if that is so."""
        return None if self.high is None else self._rates[self.high].limited_by

    def agreement(self, rate: float | None) -> tuple[int, int]:
        """Of the trials that confirm a rate, how many held, and how many there were."""
        trials = [] if rate is None else self._rates[rate].confirming
        return sum(trial.verdict is Verdict.HELD for trial in trials), len(trials)

    @property
    def confidence(self) -> float:
        """That the true rate is from `low` to `high`: a share, at least.

        The true rate is the one at which every second trial holds. If it were lower
        than `low`, its trials would be the fall of a coin, at best; the probability
        that as many of them hold by chance, and the same at `high`, is what is missing
        to 1. Only trials count that confirm an end.
        """
        held, number = self.agreement(self.low)
        missing = _chance(held, number)
        if self.high is not None:
            held, number = self.agreement(self.high)
            missing += _chance(number - held, number)
        return max(1 - missing, 0.0)

    def _decide(self) -> None:
        """Choose what to do, now that one more trial is known."""
        if self._rates[self.rate].holds is None:
            return  # Once more.
        low, high = self.low, self.high
        if low is None:
            assert high is not None, "a rate that neither held nor did not"
            if high <= self._lowest:
                self._go(State.IMPOSSIBLE)
            else:
                self._go(State.SHRINKING, max(high / GROWTH, self._lowest))
        elif high is None and low < HIGHEST:
            self._go(State.GROWING, min(low * GROWTH, HIGHEST))
        elif high is not None and high > low * CLOSE:
            self._go(State.BISECTING, math.sqrt(low * high))
        elif not self._rates[low].is_confirmed:
            self._go(State.CONFIRMING_LOW, low)
        elif high is not None and not self._rates[high].is_confirmed:
            self._go(State.CONFIRMING_HIGH, high)
        else:
            self._go(State.FOUND)

    def _go(self, state: State, rate: float | None = None) -> None:
        if state is not self.state:
            if state not in _AFTER[self.state] and not (
                state is State.GIVEN_UP and not self.state.is_over
            ):
                raise RuntimeError(f"a search that is {self.state} cannot be {state}")
            self.state = state
        if rate is not None:
            # People are to read it.
            self.rate = rate if rate in self._rates else float(f"{rate:.4g}")


class _Rate:
    """What is known of one rate."""

    def __init__(self) -> None:
        self.confirming: list[Trial] = []
        self._before: list[Trial] = []
        self._disturbed = 0

    def add(self, trial: Trial, is_confirming: bool) -> None:
        if trial.is_disturbed and self._disturbed < MOST_DISTURBED:
            self._disturbed += 1
            return
        (self.confirming if is_confirming else self._before).append(trial)

    @property
    def holds(self) -> bool | None:
        """Whether it does; None if that takes one more trial.

        What confirms counts anew: the trials before are forgotten when most of as many
        as there are to be say the same.
        """
        held, failed = _count(self.confirming)
        if max(held, failed) > CONFIRMATIONS // 2:
            return held > failed
        held, failed = _count(self._before)
        if held and not failed:
            return True
        if max(held, failed) > BEST_OF // 2:
            return held > failed
        return None

    @property
    def is_confirmed(self) -> bool:
        return len(self.confirming) >= CONFIRMATIONS

    @property
    def limited_by(self) -> str | None:
        """What the client's limit was, if most of what was not good is due to that."""
        bad = [
            trial
            for trial in self.confirming or self._before
            if trial.verdict is not Verdict.HELD
        ]
        limits = [trial.limited_by for trial in bad if trial.limited_by is not None]
        return limits[-1] if len(limits) * 2 > len(bad) else None


def _count(trials: list[Trial]) -> tuple[int, int]:
    held = sum(trial.verdict is Verdict.HELD for trial in trials)
    return held, len(trials) - held


def _chance(heads: int, throws: int) -> float:
    """The probability that a coin shows heads so many times or more."""
    ways: int = sum(math.comb(throws, n) for n in range(heads, throws + 1))
    return ways / float(2**throws)
