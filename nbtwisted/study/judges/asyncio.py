"""Five GETs on asyncio, and asyncio beside Twisted in one program."""

from nbtwisted.study.checks import (
    Task,
    answers,
    calls,
    processes,
    processor,
    requests,
    spans,
    takes,
    threads,
    together,
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
