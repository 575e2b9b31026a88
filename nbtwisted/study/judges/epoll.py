"""Judges of lesson 5: the kernel says which sockets are ready."""

from nbtwisted.study.checks import (
    answers,
    called,
    calls,
    prints,
    processes,
    processor,
    seen,
    takes,
    threads,
    together,
)
from nbtwisted.study.run import Run
from nbtwisted.study.task import Task
from nbtwisted.study.text import Text

__all__ = ["EXERCISES", "PROGRAM"]


def _came_late(run: Run) -> Text | None:
    late = ", ".join(f"{r.came:.1f}" for r in run.requests if r.came > 1.4)
    if not late:
        return None
    return Text(f"requests came after {late} s", f"リクエストの到着: {late} 秒後")


def _waits_to_connect(run: Run) -> Text | None:
    waits = called(run, "poll")
    # A loop may also be made of poll.
    if not waits or not called(run, "epoll_wait"):
        return None
    return Text(
        f"the program waited in poll {waits} times: there Python waits for a socket "
        "that has a timeout, and for no other",
        f"poll で {waits} 回待ちました。"
        "タイムアウトのあるソケットでは、それだけを Python が poll で待ちます",
    )


PROGRAM = Task(
    answers(5),
    together(5),
    takes(below=4.0),
    processor(below=0.3),
    threads(1),
    processes(1),
    calls("connect", at_least=5, at_most=5),
    calls("epoll_wait", at_most=40),
    calls("recvfrom", at_most=40),
)

EXERCISES = (
    Task(
        answers(4, target="/?_delay=400ms"),
        together(4),
        seen(
            Text(
                "all four requests come within 1.4 s",
                "4 件のリクエストがすべて 1.4 秒以内に届く",
            ),
            _came_late,
        ),
        threads(1),
        processes(1),
        seen(
            Text(
                "no socket is waited for alone, not even for a short time",
                "短い間でも、1 つのソケットだけを待たない",
            ),
            _waits_to_connect,
        ),
        # Three of them fill the queue.
        calls("connect", at_least=8),
        prints(
            "not answer",
            Text(
                "the program says that one server did not answer",
                "返事をしないサーバがあったことを表示する",
            ),
        ),
        takes(below=6.0),
        seconds=10,
    ),
    Task(
        answers(5, target="/?_delay=600ms"),
        together(5),
        threads(1),
        processes(1),
        calls("epoll_wait", at_most=40),
        seconds=10,
    ),
    Task(
        answers(5, target="/?_size=8000000"),
        together(5),
        takes(below=1.8),
        threads(1),
        processes(1),
        seconds=10,
    ),
)
