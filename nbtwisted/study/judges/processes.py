"""Lesson 3: what is expected of processes, and of the pipes between them."""

from __future__ import annotations

import re

from nbtwisted.study.checks import (
    answers,
    called,
    calls,
    prints,
    processes,
    requests,
    seen,
    takes,
    together,
)
from nbtwisted.study.run import Run
from nbtwisted.study.task import Task
from nbtwisted.study.text import Text

__all__ = ["EXERCISES", "PROGRAM"]

PROGRAM = Task(
    answers(5),
    together(5),
    # The first one, and five that wait; two that compute come and go.
    processes(at_least=6),
    takes(above=2.9, below=8.0),
    calls("wait4", at_least=8),
    alone=True,
    seconds=10,
)


def _wrong_report(run: Run) -> Text | None:
    """The sum that was reported, if the answers were not that long."""
    whole = sum(r.sent for r in run.answered if r.target.startswith("/headers"))
    reported = [
        match[1]
        for r in run.requests
        if (match := re.fullmatch(r"/anything/report\?bytes=(\d+)", r.target))
    ]
    if reported == [str(whole)]:
        return None
    said = ", ".join(reported) or "-"
    return Text(
        f"reported: {said}; the server sent {whole} bytes",
        f"報告された値: {said}。サーバが送ったのは {whole} バイト",
    )


def _read_nothing(run: Run) -> Text | None:
    """Nobody has read from a pipe, where strace has looked."""
    made = run.calls or {}
    if called(run, "read") != 0 or any(of.errors is None for of in made.values()):
        return None
    return Text("nobody read from a pipe", "パイプからは何も読まれませんでした")


EXERCISES = (
    # A child goes on with its parent's loop.
    Task(requests(4), answers(4), together(4), processes(at_least=4), seconds=6),
    # The parent waits for a child whose pipe is full.
    Task(
        answers(2, target="/bytes/200000"),
        processes(at_least=2),
        seen(
            Text(
                "the parent reads what the children write into their pipes",
                "子がパイプに書いたものを、親が読む",
            ),
            _read_nothing,
        ),
        prints(
            r"\A200000 bytes\n200000 bytes\n\Z",
            Text(
                "the parent receives 200000 bytes twice, and says so",
                "親が 200000 バイトを 2 回受け取り、そう表示する",
            ),
        ),
        seconds=4,
    ),
    # A child's memory is not its parent's.
    Task(
        answers(3, target="/headers"),
        together(3),
        processes(at_least=3),
        seen(
            Text(
                "the parent reports how many bytes the children received in all",
                "子が受け取ったバイト数の合計を、親が報告する",
            ),
            _wrong_report,
        ),
        seconds=6,
    ),
)
