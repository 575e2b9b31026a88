"""Five GETs on asyncio, and asyncio beside Twisted in one program."""

from __future__ import annotations

from nbtwisted.study.checks import (
    answers,
    calls,
    processes,
    processor,
    requests,
    seen,
    spans,
    takes,
    threads,
    together,
)
from nbtwisted.study.run import Run
from nbtwisted.study.task import Task
from nbtwisted.study.text import Text


def _gave_up_too_soon(run: Run) -> Text | None:
    if "no answer in three tries" not in run.stdout or len(run.requests) >= 15:
        return None
    return Text(
        "it says that there was no answer in three tries, but the server saw fewer",
        "3 回試みたと表示しましたが、サーバに届いたのはそれより少ない回数でした",
    )


PROGRAM = Task(
    answers(5),
    together(5),
    takes(below=8),
    processor(below=0.5),
    threads(1),
    calls("connect", at_least=5, error="EINPROGRESS"),
)

EXERCISES = (
    # A coroutine begins when something runs it, and not when it is called.
    Task(
        answers(5, target="/?_delay=400ms"),
        together(5),
        threads(1),
        processes(1),
        seconds=8,
    ),
    # A cancellation is no error of the try: after the deadline nothing is sent.
    Task(
        requests(10, target="/?_seq=503,200&_delay=1s"),
        answers(5, status=503),
        spans(below=2.2),
        seen(
            Text(
                "it is the deadline that ends each GET, and not the number of tries",
                "どの GET も、回数ではなく期限で終わる",
            ),
            _gave_up_too_soon,
        ),
        seconds=8,
    ),
    # One loop for both, in one thread.
    Task(
        answers(5, target="/?_delay=500ms"),
        threads(1),
        processes(1),
        together(5),
        seconds=8,
    ),
)
