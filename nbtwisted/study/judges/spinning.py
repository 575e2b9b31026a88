"""Judges of lesson 4: sockets that never wait, and a loop that asks them."""

from nbtwisted.study.checks import (
    answers,
    called,
    calls,
    processes,
    processor,
    seen,
    takes,
    threads,
    together,
)
from nbtwisted.study.run import Run
from nbtwisted.study.task import Check, Task
from nbtwisted.study.text import Text

__all__ = ["EXERCISES", "PROGRAM"]

WAITS_FOR_SEVERAL = ("epoll_wait", "select", "poll")
"""A program that makes one of these system calls knows where bytes have come."""

MOST_PIECES = 50
"""In which the answers of an exercise come, with their ends."""


def _waits_in_recv(run: Run) -> Text | None:
    received, empty = called(run, "recvfrom"), called(run, "recvfrom", "EAGAIN")
    if not received or any(called(run, name) for name in WAITS_FOR_SEVERAL):
        return None
    # Where nobody could see how it failed, many calls have found nothing.
    if empty or (empty is None and received > MOST_PIECES):
        return None
    return Text(
        f"none of the {received} calls of recvfrom failed with EAGAIN: "
        "the program waited for the bytes in recv, or slept before it",
        f"{received} 回の recvfrom は、1 回も EAGAIN で失敗していません。"
        "recv の中か、その前の sleep で待っていたことになります",
    )


def never_waits_in_recv() -> Check:
    """`recv` is called where it may find nothing, and returns at once."""
    return seen(
        Text(
            "recv never waits: where nothing has come, it fails with EAGAIN",
            "recv は待たない。何も届いていなければ EAGAIN で失敗する",
        ),
        _waits_in_recv,
    )


PROGRAM = Task(
    answers(5),
    together(5),
    takes(below=4.0),
    processor(above=0.1),
    threads(1),
    processes(1),
    calls("recvfrom", at_least=1_000),
    alone=True,
)

EXERCISES = (
    Task(
        answers(5, target="/?_delay=400ms"),
        together(5),
        takes(below=1.3),
        threads(1),
        processes(1),
        never_waits_in_recv(),
        seconds=10,
    ),
    Task(
        answers(5, target="/?_delay=200ms&_drip=600ms/4"),
        together(5),
        takes(below=2.0),
        threads(1),
        processes(1),
        never_waits_in_recv(),
        seconds=6,
    ),
    Task(
        answers(5, target="/?_delay=1500ms"),
        together(5),
        takes(below=2.8),
        processor(below=0.25),
        calls("recvfrom", at_most=5_000),
        threads(1),
        processes(1),
        never_waits_in_recv(),
        seconds=10,
        alone=True,
    ),
)
