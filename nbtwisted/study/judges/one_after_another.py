"""Lesson 1: what is expected of blocking sockets, one after another."""

from __future__ import annotations

from nbtwisted.study.checks import (
    Task,
    answers,
    calls,
    processor,
    requests,
    takes,
    threads,
    together,
)

__all__ = ["EXERCISES", "PROGRAM"]

PROGRAM = Task(
    answers(5),
    together(1),
    takes(above=10.9),
    threads(1),
    processor(below=0.2),
    calls("connect", at_least=5),
    seconds=30,
)

EXERCISES = (
    # The request has no end: both sides wait.
    Task(answers(3), together(1), takes(below=3.0), seconds=4),
    # One recv, and the connection is closed before the answer is whole.
    Task(
        answers(3),
        # A sleep before recv would be enough only until an answer takes longer.
        calls("clock_nanosleep", at_most=0),
        takes(below=2.7),
        seconds=6,
    ),
    # A silent server stops everything that comes after it.
    Task(
        requests(4),
        answers(3),
        threads(1),
        takes(below=3.5),
        seconds=4,
    ),
)
