"""Lesson 12: the loop that is blocked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from nbtwisted.study.checks import (
    answers,
    prints,
    processes,
    requests,
    seen,
    spans,
    threads,
    together,
)
from nbtwisted.study.run import Request, Run
from nbtwisted.study.task import Task
from nbtwisted.study.text import Text

__all__ = ["EXERCISES", "PROGRAM"]

LONGEST_GAP = 0.7
"""Seconds between two signs of life, in exercise 3; they are due every 0.2 s."""

SHORTEST_PAUSE = 0.25
"""Seconds between two requests of one visitor, in exercise 1."""

LONGEST_VISIT = 2.8
"""Seconds for all of exercise 1: 1.2 are needed, and 3.6 if pauses add up."""

LEAST_WORK = 1.1
"""Seconds of processor time, in exercise 3."""


def _longest_gap(requests: Sequence[Request]) -> float:
    came = sorted(request.came for request in requests)
    return max((later - sooner for sooner, later in pairwise(came)), default=0.0)


def _first_four_late(run: Run) -> Text | None:
    """Only while it computes in the loop, the program sends nothing."""
    by_way = [_longest_gap(run.requests[first : first + 4]) for first in (0, 4, 8)]
    in_loop, *others = by_way
    if in_loop > 0.45 > max(others):
        return None
    listed = ", ".join(f"{gap:.2f} s" for gap in by_way)
    return Text(
        f"the longest gaps between two requests were {listed}",
        f"リクエストの間隔の最大値は {listed} でした",
    )


def _polite(run: Run) -> Text | None:
    """Each visitor pauses between two requests."""
    for visitor in sorted({request.target for request in run.requests}):
        own = [request for request in run.requests if request.target == visitor]
        for sooner, later in pairwise(own):
            pause = later.came - run.end_of(sooner)
            if pause < SHORTEST_PAUSE:
                return Text(
                    f"{visitor} came again after {pause:.2f} s",
                    f"{visitor} は {pause:.2f} 秒後にまた来ました",
                )
    return None


def _alive(run: Run) -> Text | None:
    """The program never falls silent for long."""
    gap = _longest_gap(run.requests)
    if gap < LONGEST_GAP:
        return None
    return Text(
        f"the server heard nothing for {gap:.1f} s",
        f"サーバは {gap:.1f} 秒のあいだ何も受け取りませんでした",
    )


def _computes(run: Run) -> Text | None:
    """The work is still done."""
    used = run.user + run.system
    if used > LEAST_WORK:
        return None
    return Text(
        f"it used {used:.1f} s of a processor",
        f"プロセッサを使ったのは {used:.1f} 秒でした",
    )


PROGRAM = Task(
    answers(12),
    seen(
        Text(
            "the second request of the first four is late, and none of the others is",
            "はじめの 4 件では 2 件目が遅れ、ほかの 8 件は遅れない",
        ),
        _first_four_late,
    ),
    threads(at_least=2),
    processes(at_least=2),
    prints(
        r"^in the loop: \d+ ms$",
        Text(
            "it prints how late the loop was",
            "ループがどれだけ遅れたかを表示する",
        ),
    ),
)

EXERCISES = (
    Task(
        answers(15),
        seen(
            Text(
                f"each visitor pauses for {SHORTEST_PAUSE:g} s or more",
                f"どの訪問者も {SHORTEST_PAUSE:g} 秒以上の間を置く",
            ),
            _polite,
        ),
        together(5),
        threads(1),
        # Pauses of one visitor do not hold up the others.
        spans(below=LONGEST_VISIT),
    ),
    Task(
        answers(5),
        together(5),
        threads(at_least=2),
    ),
    Task(
        answers(12),
        requests(12),
        seen(
            Text(
                f"the server hears from the program at least every {LONGEST_GAP:g} s",
                f"サーバには、少なくとも {LONGEST_GAP:g} 秒ごとにリクエストが届く",
            ),
            _alive,
        ),
        seen(
            Text(
                f"the program computes: more than {LEAST_WORK:g} s of processor time",
                f"計算もする: プロセッサの時間が {LEAST_WORK:g} 秒より多い",
            ),
            _computes,
        ),
    ),
)
