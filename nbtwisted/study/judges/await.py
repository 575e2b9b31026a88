"""Chains of callbacks, await, and what cancelling a Deferred has to end."""

from nbtwisted.study.checks import (
    answers,
    calls,
    lingers,
    processes,
    processor,
    requests,
    spans,
    takes,
    threads,
    together,
)
from nbtwisted.study.task import Task

PROGRAM = Task(
    answers(5),
    together(5),
    takes(below=8),
    processor(below=0.5),
    threads(1),
    calls("connect", at_least=5, error="EINPROGRESS"),
)

EXERCISES = (
    # A callback returns the Deferred that the chain is to wait for.
    Task(
        answers(5, target="/?_delay=1s"),
        together(5),
        lingers(below=2),
        processor(below=0.8),
        calls("epoll_wait", at_most=1000),
        seconds=8,
    ),
    # await in a loop is one after another.
    Task(
        answers(5, target="/?_delay=400ms"),
        together(5),
        threads(1),
        processes(1),
        seconds=8,
    ),
    # Who gives up also hangs up.
    Task(
        requests(5, target="/?_delay=3s"),
        answers(5, target="/?_delay=200ms"),
        together(5),
        spans(below=2.2),
        seconds=8,
    ),
)
