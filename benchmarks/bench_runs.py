"""The runs of `make bench` that a page's figures are from, and what it says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["BenchRun", "about", "added", "read_run", "write_run"]


@dataclass(frozen=True)
class BenchRun:
    """One run of `make bench`.

    command: as it was typed; it says how many rounds there were.
    day: when, as in ISO 8601.
    machine, versions: where, and what was compared.
    groups: those whose figures on the page are from it.
    """

    command: str
    day: str
    machine: str
    versions: str
    groups: tuple[str, ...]


def write_run(run: BenchRun) -> dict[str, Any]:
    """Give a run as JSON has it."""
    return asdict(run)


def read_run(written: dict[str, Any]) -> BenchRun:
    """Give the run that `write_run` wrote."""
    return BenchRun(**{**written, "groups": tuple(written["groups"])})


def added(earlier: Sequence[BenchRun], latest: BenchRun) -> list[BenchRun]:
    """Give the runs that figures are from, once those of `latest` take their place."""
    kept = [
        replace(
            run, groups=tuple(each for each in run.groups if each not in latest.groups)
        )
        for run in earlier
    ]
    return [*(run for run in kept if run.groups), latest]


def about(runs: Sequence[BenchRun]) -> str:
    """Say what was measured by which run; what is the same of all is said once."""
    return "\n".join(_about(runs))


def _about(runs: Sequence[BenchRun]) -> Iterator[str]:
    first = runs[0]
    yield (
        f"{first.machine}; {first.versions}. Figures are medians of so many "
        "`--rounds`, in which all take turns; wrk loads each server for so many "
        "`--seconds`. Ratios are medians of each round's. Absolute figures are this "
        "machine's, ratios carry over."
    )
    yield ""
    yield "The figures are of these runs, by the names that `--only` has for them:"
    yield ""
    for run in runs:
        is_the_rest = run is first and len(runs) > 1
        what = "all but what is below" if is_the_rest else ", ".join(run.groups)
        where = [
            text
            for text, usual in (
                (run.machine, first.machine),
                (run.versions, first.versions),
            )
            if text != usual
        ]
        yield "; ".join([f"- `{run.command}` on {run.day}: {what}", *where])
