"""A task: what is expected of a program, and how it is run. Pure.

A check looks at a run and finds whether it is as it should be; a finding says what was
expected and what was seen, in both languages.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nbtwisted.printable import printable
from nbtwisted.study.run import Run
from nbtwisted.study.text import Text

__all__ = ["Check", "Finding", "Task", "last_line"]

SEED = 453
"""With it, the first five `GET /` are held 3, 2, 1, 3 and 2 seconds."""

LONGEST_QUOTED = 200
"""Characters of what a program said, in a finding."""


@dataclass(frozen=True)
class Finding:
    """What a check expected of a run, and what it saw."""

    is_good: bool
    expected: Text
    seen: Text


Check = Callable[[Run], Finding | None]
"""Returns None where it could not look."""


class Task:
    """What is expected of a program, and how it is run.

    checks     looked at in their order, after those that hold for every program
    seconds    in which it has to end
    arguments  come after the port
    traced     whether a second copy runs, whose system calls are counted
    alone      whether that copy has ended before: for a program that computes, whose
               times the copy would change
    server     settings of the delay server: `seed`, `max_delay`, `max_in_flight`,
               `lenient`
    """

    def __init__(
        self,
        *checks: Check,
        seconds: float = 15.0,
        arguments: tuple[str, ...] = (),
        traced: bool = True,
        alone: bool = False,
        server: Mapping[str, Any] | None = None,
    ) -> None:
        self._checks = checks
        self.seconds = seconds
        self.arguments = arguments
        self.traced = traced
        self.alone = alone
        self.server = {"seed": SEED, **(server or {})}

    def findings(self, run: Run) -> Iterator[Finding]:
        """What each check found, up to the first that makes all others pointless."""
        for finding in (_ended(run, self.seconds), _ended_well(run), _left_server(run)):
            yield finding
            if not finding.is_good:
                return
        for check in self._checks:
            found = check(run)
            if found is not None:
                yield found

    def judge(self, run: Run) -> Finding | None:
        """The first finding that is not good; None if all are."""
        return next((f for f in self.findings(run) if not f.is_good), None)


# What holds for every program.


def _ended(run: Run, seconds: float) -> Finding:
    return Finding(
        run.exit_code is not None,
        Text(
            f"the program ends by itself, within {seconds:g} s",
            f"プログラムが {seconds:g} 秒以内に自分で終わる",
        ),
        Text(
            f"it still ran after {run.seconds:.1f} s, and was stopped",
            f"{run.seconds:.1f} 秒たっても動いていたので、止めました",
        ),
    )


def _ended_well(run: Run) -> Finding:
    code = run.exit_code or 0
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        how = Text(f"signal {name} ended it", f"シグナル {name} で終わりました")
    else:
        how = Text(
            f"it ended with exit code {code}", f"終了コード {code} で終わりました"
        )
    last = last_line(run.stderr)
    return Finding(
        code == 0,
        Text("the program ends with exit code 0", "終了コード 0 で終わる"),
        Text(f"{how.en}: {last}", f"{how.ja}: {last}") if last else how,
    )


def _left_server(run: Run) -> Finding:
    return Finding(
        run.server_lives,
        Text(
            "the delay server still answers when the program has ended",
            "プログラムが終わっても、サーバは応答する",
        ),
        Text("it does not answer any more", "サーバが応答しなくなりました"),
    )


def last_line(text: str) -> str:
    """The last line that a program wrote, fit to be quoted; empty if it wrote none."""
    lines = text.strip().splitlines()
    return printable(lines[-1].strip(), longest=LONGEST_QUOTED) if lines else ""
