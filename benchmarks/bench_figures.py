"""Figures of `benchmarks.bench`: measured ones, and how a page shows them."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["COST", "RATE", "Figure", "Figures", "Section", "Table", "Target"]

Figures = dict[str, float]


class Table:
    """Figures of everything that is compared, by group, name and round."""

    def __init__(self) -> None:
        self.rounds: dict[str, dict[str, list[Figures]]] = {}
        self.failures: dict[str, dict[str, str]] = {}

    def measure(
        self, group: str, name: str, what: Callable[..., Figures], *args: object
    ) -> None:
        """Measure once more; a failure is noted, and not tried again."""
        if name in self.failures.get(group, {}):
            return
        try:
            found = what(*args)
        except (OSError, ValueError, IndexError, TypeError) as error:
            self.failures.setdefault(group, {})[name] = str(error)
            print(f"{group}: {name}: {error}", flush=True)
            return
        self.rounds.setdefault(group, {}).setdefault(name, []).append(found)
        shown = ", ".join(f"{key} {value:,.4g}" for key, value in found.items())
        print(f"{group}: {name}: {shown}", flush=True)

    def add_earlier(self, earlier: Table) -> None:
        """Take over the groups that were not measured now."""
        measured = {*self.rounds, *self.failures}
        for group, rounds in earlier.rounds.items():
            if group not in measured:
                self.rounds[group] = rounds
        for group, failures in earlier.failures.items():
            if group not in measured:
                self.failures[group] = failures

    def median(self, group: str, name: str, figure: str) -> float | None:
        """Give the median of a figure; None if there is none."""
        rounds = self.rounds.get(group, {}).get(name)
        return statistics.median(r[figure] for r in rounds) if rounds else None

    def ratio(self, group: str, name: str, other: str, figure: str) -> float | None:
        """Give the median of the rounds' ratios, each of two figures of one round."""
        ours = self.rounds.get(group, {}).get(name, [])
        theirs = self.rounds.get(group, {}).get(other, [])
        pairs = list(zip(ours, theirs, strict=False))
        if not pairs:
            return None
        return statistics.median(a[figure] / b[figure] for a, b in pairs)


@dataclass(frozen=True)
class Figure:
    """A column of the page: a key of `Figures`, its name, and how a value is shown."""

    key: str
    label: str
    shape: str
    less_is_better: bool = False


@dataclass(frozen=True)
class Section:
    """A table of the page: some groups of one kind."""

    title: str
    about: str
    groups: tuple[str, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Target:
    """The value that a figure of ours should have.

    With a peer, `least` and `aim` are how many times better than the peer's our figure
    is. Without one, they are the figure itself; in place of `aim` there can be the name
    of a peer that has it.
    """

    group: str
    figure: str
    ours: str
    peer: str
    least: float
    aim: float | str | None


COST = Figure("us", "CPU µs a request", "{:.1f}", less_is_better=True)
RATE = Figure("rps", "requests a second", "{:,.0f}")
