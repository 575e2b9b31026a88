"""A report of an earlier run, as `--json` wrote it, to compare another with. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbtwisted.load.figures.json_values import (
    as_count,
    as_list,
    as_object,
    as_seconds,
    as_text,
)
from nbtwisted.load.figures.series import Interval, Series
from nbtwisted.printable import printable

__all__ = ["FEWEST_INTERVALS", "Earlier", "figures_of"]

FEWEST_INTERVALS = 10
"""In fewer there is too little to see of how a run goes up and down."""

LATENCIES = ("mean", "p50", "p90", "p99", "p99.9")

LONGEST_TEXT = 100
"""Characters that are shown of a text."""

_IS_NONE = "expected what --json of nbtwisted load has written"

_DIFFERENCES = {
    "urls": "the URLs",
    "methods": "the methods",
    "connections": "the connections",
    "rate": "the rate",
    "stages": "the stages",
    "arrivals": "the arrivals",
    "timeout": "the timeout",
    "workers": "the number of workers",
}
"""What runs that are compared should have in common."""


@dataclass(frozen=True)
class Earlier:
    """The report and the intervals of an earlier run; `file` is what it was read of."""

    file: str
    report: Mapping[str, Any]
    intervals: list[Interval]

    @classmethod
    def read(cls, file: str, text: str) -> Earlier:
        """Read a report; raises `ValueError`, whose text says what it is instead."""
        try:
            report = as_object(json.loads(text))
        except (ValueError, RecursionError):
            raise ValueError(f"it is no report: {_IS_NONE}") from None
        if "intervals" not in report:
            is_ours = "latency" in report and "answered" in report
            raise ValueError(
                "it has no intervals, as another version of nbtwisted wrote it: "
                "expected a report of this one"
                if is_ours
                else f"it is no report: {_IS_NONE}"
            )
        try:
            figures = figures_of(report)
            shape_of(report)
            intervals = Series.from_json(report["intervals"] or []).intervals
        except (ValueError, KeyError) as error:
            why = f"no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"it is no report of this version: {why}") from None
        nothing = [name for name, of in figures.items() if not of and name != "errors"]
        if report["answered"] and nothing:
            raise ValueError(f"it is no report of this version: no {nothing[0]}")
        if not report["answered"]:
            raise ValueError("none of its requests was answered")
        if len(intervals) < FEWEST_INTERVALS:
            raise ValueError(
                f"its run is too short to compare with: it has {len(intervals)} "
                f"intervals, of a tenth of a second; expected {FEWEST_INTERVALS} or "
                "more (-z)"
            )
        return cls(file, report, intervals)

    def differences(self, report: Mapping[str, Any]) -> list[str]:
        """What another run did in another way, for people."""
        before, now = shape_of(self.report), shape_of(report)
        return [
            f"{what} ({_shown(before[name])}, now {_shown(now[name])})"
            if isinstance(now[name] or before[name], (int, float, str))
            else what
            for name, what in _DIFFERENCES.items()
            if before[name] != now[name]
        ]


def figures_of(report: Mapping[str, Any]) -> dict[str, float]:
    """The figures that are compared: seconds, answers a second, and a share."""
    latency = as_object(report["latency"])
    answered, failed = as_count(report["answered"]), as_count(report["failed"])
    return {
        **{name: as_seconds(latency.get(name)) for name in LATENCIES},
        "rps": as_seconds(report["rps"]),
        "errors": failed / (answered + failed) if answered + failed else 0.0,
    }


def shape_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a run did, as far as it is known; raises as `Earlier.read` does."""
    stages, rate, arrivals = (
        report.get(name) for name in ("stages", "rate", "arrivals")
    )
    return {
        "urls": (as_list(report["urls"]), as_count(report["urls_left_out"])),
        "methods": sorted(as_object(report["methods"])),
        "connections": as_count(report["connections"]),
        "rate": None if rate is None else as_seconds(rate),
        "stages": stages
        and [
            [as_object(stage).get(name) for name in ("began", "ended", "from", "to")]
            for stage in as_list(stages)
        ],
        "arrivals": None if arrivals is None else as_text(arrivals),
        "timeout": as_seconds(report["timeout"]),
        "workers": len(as_list(report.get("workers") or [])),
    }


def _shown(value: float | str | None) -> str:
    if isinstance(value, (int, float)):
        return f"{value:.6g}"
    return printable(value or "none", longest=LONGEST_TEXT)
