"""Lesson 1: what is expected of blocking sockets, one after another."""

from __future__ import annotations

from nbtwisted.study.checks import (
    answers,
    called,
    calls,
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

SLEEPS = ("clock_nanosleep", "select")
"""What time.sleep calls, by the version of Python."""

PROGRAM = Task(
    answers(5),
    together(1),
    takes(above=10.9),
    threads(1),
    processor(below=0.2),
    calls("connect", at_least=5),
    seconds=20,
)


def _sleeps(run: Run) -> Text | None:
    """How often the program slept, if it did so at all."""
    times = sum(called(run, name) or 0 for name in SLEEPS)
    if not times:
        return None
    return Text(
        f"it slept {times} times; another answer may take longer than that",
        f"{times} 回スリープしました。もっと時間のかかる応答もあります",
    )


EXERCISES = (
    # The request has no end: both sides wait.
    Task(answers(3), together(1), takes(below=3.0), seconds=4),
    # One recv, and the connection is closed before the answer is whole.
    Task(
        answers(3),
        seen(
            Text(
                "the program waits in recv, and nowhere else",
                "プログラムは recv だけで待つ",
            ),
            _sleeps,
        ),
        takes(below=2.7),
        seconds=6,
    ),
    # A silent server stops everything that comes after it.
    Task(requests(4), answers(3), threads(1), takes(below=3.5), seconds=4),
)
