"""Lesson 2: what is expected of threads."""

from __future__ import annotations

from nbtwisted.study.checks import (
    answers,
    memory,
    processes,
    processor,
    takes,
    threads,
    together,
)
from nbtwisted.study.task import Task

__all__ = ["EXERCISES", "PROGRAM"]

PROGRAM = Task(
    answers(5),
    together(5),
    # The main thread, five that wait, and two that compute, if these overlap.
    threads(at_least=6, at_most=8),
    processes(1),
    takes(above=2.9, below=8.0),
    memory(below=100),
    alone=True,
)

EXERCISES = (
    # It waits for each thread before it starts the next one.
    Task(answers(5), together(5), seconds=6),
    # The main thread waits in a loop that does nothing.
    Task(
        answers(1),
        threads(at_least=2),
        processor(below=0.25),
        seconds=6,
        # A loop that spins is found by what it gets of the processor.
        alone=True,
    ),
    # A semaphore holds back requests, and not the threads that wait for it.
    Task(
        answers(200),
        threads(at_most=25),
        together(at_least=10, at_most=20),
        takes(below=6.0),
        seconds=8,
    ),
)
