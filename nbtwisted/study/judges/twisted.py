"""Five GETs on Twisted: a Protocol for each, and one reactor."""

from nbtwisted.study.checks import (
    answers,
    calls,
    lingers,
    processes,
    processor,
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
    # A reactor runs once: all five are begun before it does.
    Task(
        answers(5, target="/?_delay=300ms"),
        processes(1),
        threads(1),
        together(5),
        seconds=8,
    ),
    # It is stopped when the last is answered, and not the first.
    Task(
        answers(5, target="/?_delay="),
        answers(1, target="/?_delay=900ms"),
        together(5),
        lingers(below=2),
        seconds=8,
    ),
    # dataReceived has a piece: the server is cut off unless all of them are awaited.
    Task(
        answers(5, target="/bytes/4000?_drip=600ms/4"),
        together(5),
        seconds=8,
    ),
)
