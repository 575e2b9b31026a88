"""Lesson 13: ten thousand at once, in four ways."""

from __future__ import annotations

import re

from nbtwisted.study.checks import (
    answers,
    descriptors,
    memory,
    prints,
    requests,
    seen,
    takes,
    threads,
    together,
)
from nbtwisted.study.run import Run
from nbtwisted.study.task import Task
from nbtwisted.study.text import Text

__all__ = ["EXERCISES", "PROGRAM"]

FEWEST_KEPT = 200
"""Requests: a journal has those of the last way, and a recorded run so many."""

SIZE = 300_000
"""Bytes of each answer of exercise 3."""

_ROW = re.compile(r"^(\w+): \d+ in +[\d.]+ s, CPU +([\d.]+) s", re.MULTILINE)


def _threads_cost_most(run: Run) -> Text | None:
    used = {way: float(cpu) for way, cpu in _ROW.findall(run.stdout)}
    if used and max(used, key=lambda way: used[way]) == "threads":
        return None
    listed = ", ".join(f"{way} {cpu} s" for way, cpu in used.items())
    return Text(f"they used {listed}", f"使われたのは {listed} でした")


def _all_bytes(run: Run) -> Text | None:
    for request in run.answered:
        if request.sent != SIZE:
            return Text(
                f"that of request {request.number} has {request.sent:,}",
                f"リクエスト {request.number} の応答は {request.sent:,} バイトでした",
            )
    return None


PROGRAM = Task(
    # Of each way. What is allowed on this machine may be less than 10,000.
    prints(
        r"(?s)^threads: (\d+) in.*^asyncio: \1 in.*^twisted: \1 in.*^eagerly: \1 in",
        Text(
            "each of the four ways gets the same number of answers",
            "4 つの方法のどれも、同じ数の応答を得る",
        ),
    ),
    answers(at_least=FEWEST_KEPT),
    together(at_least=FEWEST_KEPT // 2),
    descriptors(at_least=500),
    threads(at_least=100),
    seen(
        Text(
            "of the four ways, threads use the most of the processor's time",
            "4 つのうち、スレッドがプロセッサを最も長く使う",
        ),
        _threads_cost_most,
    ),
    takes(above=12.0),
    seconds=180,
    # Under strace it would take minutes.
    traced=False,
)

EXERCISES = (
    Task(
        answers(600),
        requests(600),
        descriptors(at_most=256),
        together(at_least=50, at_most=100),
        takes(below=5.0),
    ),
    Task(
        answers(100),
        requests(100),
        together(at_least=90),
        threads(at_most=5),
        takes(below=3.0),
        seconds=8,
    ),
    Task(
        answers(300),
        seen(
            Text(
                f"each answer has {SIZE:,} bytes",
                f"どの応答も {SIZE:,} バイトある",
            ),
            _all_bytes,
        ),
        together(at_least=10, at_most=40),
        prints(
            r"\b90,?000,?000\b",
            Text(
                "the program prints how many bytes came in all",
                "プログラムが、届いたバイト数の合計を表示する",
            ),
        ),
        memory(below=75),
        takes(below=8.0),
    ),
)
