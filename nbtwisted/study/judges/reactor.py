"""Judges of lesson 6: readers, writers and timers of a reactor."""

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


def begins(*due: float, within: float) -> Check:
    """Requests come so many seconds after the first, a little early or late."""

    def look(run: Run) -> Text | None:
        came = sorted(request.came for request in run.requests)
        after = [at - came[0] for at in came]
        if len(after) == len(due) and all(
            abs(at - wanted) < within for at, wanted in zip(after, due, strict=True)
        ):
            return None
        listed = ", ".join(f"{at:.1f}" for at in after)
        return Text(f"they came after {listed} s", f"到着: {listed} 秒後")

    listed = ", ".join(f"{at:.1f}" for at in due)
    return seen(
        Text(
            f"requests come {listed} s after the first",
            f"最初のリクエストから {listed} 秒後にリクエストが届く",
        ),
        look,
    )


def _sent_less(run: Run) -> Text | None:
    lengths = [request.headers.get("Content-Length", "-") for request in run.requests]
    if all(length == "500000" for length in lengths):
        return None
    listed = ", ".join(lengths)
    return Text(f"Content-Length: {listed}", f"Content-Length: {listed}")


def _sent_at_once(run: Run) -> Text | None:
    sent = called(run, "sendto")
    if not sent or sent > 2 * len(run.requests):
        return None
    return Text(
        f"send was called {sent} times for {len(run.requests)} uploads: each "
        "was taken at once, by a call that waited or by larger buffers",
        f"send の呼び出しは、{len(run.requests)} 件の送信に {sent} 回だけでした。"
        "send の中で待ったか、バッファを大きくしたかのどちらかです",
    )


PROGRAM = Task(
    answers(5),
    together(5),
    takes(below=4.4),
    processor(below=0.3),
    threads(1),
    processes(1),
    calls("epoll_wait", at_most=60),
    calls("recvfrom", at_most=40),
)

EXERCISES = (
    Task(
        answers(5, target="/?_delay=200ms&_drip=300ms/3"),
        together(5),
        takes(above=1.9, below=3.0),
        processor(below=0.25),
        threads(1),
        processes(1),
        # Each answer has a head, three pieces and an end.
        calls("recvfrom", at_most=32),
        seconds=10,
    ),
    Task(
        answers(3, target="/?_delay=100ms"),
        begins(0.0, 0.5, 1.0, within=0.35),
        processor(below=0.4),
        threads(1),
        processes(1),
        calls("epoll_wait", at_most=20),
        seconds=10,
    ),
    Task(
        answers(3, target="/status/200?_delay=1s"),
        seen(
            Text("each body has 500,000 bytes", "どの本文も 500,000 バイト"),
            _sent_less,
        ),
        seen(
            Text(
                "the rest of a body is sent when there is room for it",
                "本文の残りは、空きができたときに送る",
            ),
            _sent_at_once,
        ),
        together(3),
        takes(below=3.0),
        processor(below=0.45),
        calls("epoll_wait", at_most=200),
        threads(1),
        processes(1),
        seconds=10,
    ),
)
