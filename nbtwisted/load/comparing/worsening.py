"""What makes a run a failure beside an earlier one: `p99 worse than 10%`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbtwisted.load.comparing.compare import GOOD_IF_LARGE, changed, compare
from nbtwisted.load.comparing.earlier import FEWEST_INTERVALS, Earlier
from nbtwisted.load.conditions import Condition
from nbtwisted.load.figures.series import Interval
from nbtwisted.load.judging import why_broken
from nbtwisted.numeral import parse_decimal

__all__ = ["Worsening", "add_comparison", "parse_failure"]

_WORSENING = re.compile(r"\s*(\S+)\s+worse\s+than\s+([0-9.]+)%\s*")
_FIGURES = ("mean", "p50", "p90", "p99", "p99.9", "rps", "errors")
_EXPECTED = (
    "expected one such as p99 worse than 10%, of "
    f"{', '.join(_FIGURES[:-1])} or {_FIGURES[-1]}"
)


@dataclass(frozen=True)
class Worsening:
    """A figure, and by how much it may be worse than it was: a share.

    Of `errors` it is a difference of shares: they are worse than 1% if there were 2%
    and now there are more than 3%.
    """

    text: str
    figure: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> Worsening:
        """Read one; raises `ValueError`, whose text says what was expected."""
        match = _WORSENING.fullmatch(text)
        if match is None or match[1] not in _FIGURES:
            raise ValueError(_EXPECTED)
        try:
            limit = parse_decimal(match[2]) / 100
        except ValueError:
            raise ValueError(_EXPECTED) from None
        if match[1] in GOOD_IF_LARGE and limit >= 1:
            raise ValueError("expected a condition that can hold: less than 100%")
        return cls(" ".join(text.split()), match[1], limit)

    def judge(
        self, found: Mapping[str, Any], others: Sequence[Condition]
    ) -> dict[str, Any]:
        """Judge a run by its report that has a comparison, as `judged` does others.

        It holds if the figure is worse by more than the limit, unless that is known to
        be noise; and of a run without responses, or one whose responses say nothing.
        """
        (figure,) = (
            each
            for each in found["comparison"]["figures"]
            if each["figure"] == self.figure
        )
        change = figure["change"]
        worse_by = -change if self.figure in GOOD_IF_LARGE else change
        holds = worse_by > self.limit and figure["is_beyond_noise"] is not False
        shown = f"{changed(self.figure, change)}, {_NOISE[figure['is_beyond_noise']]}"
        broken = None if self.figure == "errors" else why_broken(found, others)
        if not found["answered"]:
            holds, shown = True, "no answer"
        elif broken is not None:
            holds, shown = True, f"{shown}, and {broken}"
        return {"text": self.text, "value": change, "shown": shown, "holds": holds}


_NOISE = {
    True: "beyond noise",
    False: "within noise",
    None: "with too few to tell if it is noise",
}


def parse_failure(text: str) -> Condition | Worsening:
    """Read what --fail-if can be given; raises `ValueError`, as both do."""
    # It may be in a label.
    is_worsening = "worse" in text.partition("[")[0]
    return Worsening.parse(text) if is_worsening else Condition.parse(text)


def add_comparison(
    found: dict[str, Any],
    earlier: Earlier,
    intervals: Sequence[Interval],
    worsenings: Sequence[Worsening],
    others: Sequence[Condition] = (),
) -> None:
    """Add to a report how the run is beside an earlier one, and what follows."""
    comparison = found["comparison"] = compare(earlier, found, intervals)
    if comparison["differences"]:
        found["warnings"].append(
            f"this run is not like that of {earlier.file}, which had others of these: "
            f"{', '.join(comparison['differences'])}"
        )
    if len(intervals) < FEWEST_INTERVALS:
        found["warnings"].append(
            f"this run is too short to tell changes from noise: it has "
            f"{len(intervals)} intervals, of a tenth of a second; {FEWEST_INTERVALS} "
            "would do (-z)"
        )
    found["conditions"] += [each.judge(found, others) for each in worsenings]
