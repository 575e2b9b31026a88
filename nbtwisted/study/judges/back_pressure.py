"""Lesson 11: a fast writer, a slow reader, and the memory in between."""

from __future__ import annotations

from nbtwisted.study.checks import (
    answers,
    memory,
    prints,
    requests,
    seen,
    takes,
    together,
)
from nbtwisted.study.run import Request, Run
from nbtwisted.study.task import Task
from nbtwisted.study.text import Text

__all__ = ["EXERCISES", "PROGRAM"]

SIZE = 12_000_000
"""Bytes of each answer."""

JOBS = 200
"""Of exercise 2."""


def _took(request: Request) -> float:
    return 0.0 if request.ended is None else request.ended - request.came


def _back_pressure_first(run: Run) -> Text | None:
    """The server needs much longer for each of the first five than for the others."""
    slow = min(map(_took, run.requests[:5]), default=0.0)
    quick = max(map(_took, run.requests[5:]), default=0.0)
    if slow > 2 * quick:
        return None
    return Text(
        f"the quickest of them took {slow:.2f} s, and the slowest of the others "
        f"{quick:.2f} s",
        f"その中の最短が {slow:.2f} 秒、ほかの最長が {quick:.2f} 秒でした",
    )


def _whole(run: Run) -> Text | None:
    for request in run.requests:
        if request.sent != SIZE:
            return Text(
                f"the server has sent {request.sent:,} bytes of answer "
                f"{request.number}",
                f"{request.number} 件目の応答で送られたのは "
                f"{request.sent:,} バイトでした",
            )
    return None


PROGRAM = Task(
    answers(10),
    together(5),
    memory(above=70, below=200),
    seen(
        Text(
            "the server needs more than twice as long for the first five answers",
            "最初の 5 件の応答には、ほかの 2 倍より長くかかる",
        ),
        _back_pressure_first,
    ),
    takes(above=3.5),
)

EXERCISES = (
    Task(
        answers(5),
        seen(
            Text(
                f"the server sends {SIZE:,} bytes to each reader",
                f"サーバが、それぞれに {SIZE:,} バイトを送る",
            ),
            _whole,
        ),
        prints(
            r"(?s)(12,000,\d{3} bytes read.*){5}",
            Text(
                "all five readers report that they have read everything",
                "5 つの読み手が、すべて読んだと報告する",
            ),
        ),
        memory(below=75),
        seconds=12,
    ),
    Task(
        answers(JOBS),
        requests(JOBS),
        together(at_least=10, at_most=20),
        server={"max_in_flight": 20},
    ),
    Task(
        answers(5, target=f"/?_delay=0&read={SIZE}"),
        memory(below=75),
        seconds=12,
    ),
)
