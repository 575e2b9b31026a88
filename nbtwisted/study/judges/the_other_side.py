"""Lesson 14: a server that waits in forty threads, and one that waits in none."""

from __future__ import annotations

import re

from nbtwisted.study.checks import (
    answers,
    processor,
    requests,
    seen,
    takes,
    threads,
    together,
)
from nbtwisted.study.run import Run
from nbtwisted.study.task import Task
from nbtwisted.study.text import Text

__all__ = ["EXERCISES", "PROGRAM"]

LATEST = 1.0
"""Seconds after which a request is over whose client left after 0.3 s."""

_TIME = re.compile(r"^(forty threads|timers): ([\d.]+) s$", re.MULTILINE)


def _threads_are_slower(run: Run) -> Text | None:
    took = {name: float(seconds) for name, seconds in _TIME.findall(run.stdout)}
    if len(took) == 2 and took["forty threads"] > 2 * took["timers"]:
        return None
    listed = ", ".join(f"{name} {seconds} s" for name, seconds in took.items())
    return Text(f"they took {listed}", f"かかった時間は {listed} でした")


def _left_soon(run: Run) -> Text | None:
    """The requests of the nine clients that leave end soon after that."""
    for request in run.requests:
        ended = run.end_of(request)
        if request.outcome != "answered" and ended - request.came > LATEST:
            return Text(
                f"request {request.number} was held for {ended - request.came:.1f} s",
                f"リクエスト {request.number} は "
                f"{ended - request.came:.1f} 秒のあいだ残っていました",
            )
    return None


PROGRAM = Task(
    answers(200),
    together(at_least=150),
    threads(at_least=41, at_most=45),
    seen(
        Text(
            "the same load takes forty threads more than twice as long as timers",
            "同じ負荷に、40 スレッドはタイマの 2 倍より長くかかる",
        ),
        _threads_are_slower,
    ),
    takes(above=12.0, below=25.0),
    processor(below=0.5),
    seconds=40,
)

EXERCISES = (
    Task(
        answers(15),
        requests(15),
        # The reactor's own pool has ten threads.
        together(at_least=12),
        threads(at_most=5),
        takes(below=4.0),
    ),
    Task(
        requests(10),
        answers(1),
        seen(
            Text(
                f"a request whose client has left is over within {LATEST:g} s",
                f"クライアントの去ったリクエストは {LATEST:g} 秒以内に終わる",
            ),
            _left_soon,
        ),
        takes(below=6.0),
    ),
)
