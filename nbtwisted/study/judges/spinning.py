"""Judges of lesson 4: sockets that never wait, and a loop that asks them."""

from nbtwisted.study.checks import (
    Check,
    Task,
    Text,
    answers,
    calls,
    processes,
    processor,
    seen,
    takes,
    threads,
    together,
)
from nbtwisted.study.run import Run

__all__ = ["EXERCISES", "PROGRAM"]

WAITS_FOR_SEVERAL = frozenset(
    ("epoll_wait", "epoll_pwait", "select", "pselect6", "poll", "ppoll")
)
"""A program that makes one of these system calls knows where bytes have come."""


def _waits_in_recv(run: Run) -> Text | None:
    received = (run.calls or {}).get("recvfrom")
    if run.calls is None or received is None or received.errors is None:
        return None
    if "EAGAIN" in received.errors or not WAITS_FOR_SEVERAL.isdisjoint(run.calls):
        return None
    return Text(
        "recvfrom never said EAGAIN: it waited until bytes came, "
        "and the other sockets waited behind it",
        "recvfrom は一度も EAGAIN を返しませんでした。"
        "バイトが届くまで待ち、その間ほかのソケットを見ていません",
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
    threads(at_most=1),
    processes(at_most=1),
    calls("recvfrom", at_least=1_000),
    alone=True,
)

EXERCISES = (
    Task(
        answers(5, target="/?_delay=400ms"),
        together(5),
        takes(below=1.3),
        threads(at_most=1),
        processes(at_most=1),
        never_waits_in_recv(),
        seconds=10,
    ),
    Task(
        answers(5, target="/?_delay=200ms&_drip=600ms/4"),
        together(5),
        takes(below=2.0),
        threads(at_most=1),
        processes(at_most=1),
        never_waits_in_recv(),
        seconds=6,
    ),
    Task(
        answers(5, target="/?_delay=1500ms"),
        together(5),
        takes(below=2.8),
        processor(below=0.25),
        calls("recvfrom", at_most=5_000),
        threads(at_most=1),
        processes(at_most=1),
        never_waits_in_recv(),
        seconds=10,
        alone=True,
    ),
)
