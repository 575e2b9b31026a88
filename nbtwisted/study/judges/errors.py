"""Lesson 10: refused, reset, half an answer, silence."""

from __future__ import annotations

from bisect import bisect_left

from nbtwisted.study.checks import (
    answers,
    requests,
    seen,
    takes,
    together,
)
from nbtwisted.study.run import Run
from nbtwisted.study.task import Task
from nbtwisted.study.text import Text

__all__ = ["EXERCISES", "PROGRAM"]

CLIENTS = 20
"""Of exercise 3."""

IN_STEP = 0.1
"""Seconds within which attempts count as made at one moment."""


def _whole_once(run: Run) -> Text | None:
    """Each target has one whole answer."""
    whole = [request.target for request in run.answered if request.status == 200]
    for target in sorted({request.target for request in run.requests}):
        came = whole.count(target)
        if came != 1:
            return Text(
                f"{target} was answered whole {came} times",
                f"{target} への完全な応答は {came} 回でした",
            )
    return None


def _hung_up(run: Run) -> Text | None:
    """The program closes a connection that is silent, long before its own end."""
    for request in run.requests:
        took = run.end_of(request) - request.came
        if request.fault == "stall" and took > 1.5:
            return Text(
                f"request {request.number} was left open for {took:.1f} s",
                f"リクエスト {request.number} の接続は {took:.1f} 秒開いたままでした",
            )
    return None


def _not_in_step(run: Run) -> Text | None:
    """Second attempts are spread over time."""
    later = sorted(request.came for request in run.requests)[CLIENTS:]
    most = max(
        (bisect_left(later, came + IN_STEP) - i for i, came in enumerate(later)),
        default=0,
    )
    if most <= CLIENTS // 2:
        return None
    return Text(
        f"{most} of them came within {IN_STEP:g} s",
        f"{IN_STEP:g} 秒のあいだに {most} 件が届きました",
    )


def _pauses(run: Run) -> Text | None:
    """Some second attempts come a good while after the first."""
    came = sorted(request.came for request in run.requests)
    if len(came) > CLIENTS and came[-1] - came[0] > 0.4:
        return None
    return Text(
        "the last attempt came "
        f"{came[-1] - came[0] if came else 0:.2f} s after the first",
        "最後のリクエストは、最初のリクエストの "
        f"{came[-1] - came[0] if came else 0:.2f} 秒後に届きました",
    )


def _losers_left(run: Run) -> Text | None:
    """A slow request is cancelled soon after the quick one is answered."""
    for request in run.requests:
        took = run.end_of(request) - request.came
        if request.target.endswith("4s") and took > 1.0:
            return Text(
                f"request {request.number} was in flight for {took:.1f} s",
                f"リクエスト {request.number} は {took:.1f} 秒のあいだ残っていました",
            )
    return None


PROGRAM = Task(
    answers(5),
    requests(9),
    together(5),
    takes(above=2.2, below=8.0),
)

EXERCISES = (
    Task(
        answers(5),
        seen(
            Text(
                "each of the five files is fetched until it came whole, and then not "
                "again",
                "5 つのファイルを、それぞれ完全に届くまで取得し、届いたら繰り返さない",
            ),
            _whole_once,
        ),
        together(5),
        requests(at_most=25),
    ),
    Task(
        answers(5),
        seen(
            Text(
                "each of the five jobs is tried until it is answered, and then not "
                "again",
                "5 件を、それぞれ応答があるまで試み、応答があれば繰り返さない",
            ),
            _whole_once,
        ),
        seen(
            Text(
                "the program hangs up on a silent server within 1.5 s",
                "黙ったサーバとの接続を 1.5 秒以内に切る",
            ),
            _hung_up,
        ),
        together(5),
        seconds=8,
    ),
    Task(
        answers(CLIENTS),
        requests(at_most=4 * CLIENTS),
        seen(
            Text(
                "the clients pause before they come again",
                "クライアントは、少し待ってからもう一度送る",
            ),
            _pauses,
        ),
        seen(
            Text(
                f"at most {CLIENTS // 2} second attempts come within "
                f"{IN_STEP:g} s: they are not in step",
                "2 回目のリクエストが散らばる: "
                f"{IN_STEP:g} 秒のあいだに届くのは {CLIENTS // 2} 件まで",
            ),
            _not_in_step,
        ),
    ),
    Task(
        requests(8),
        answers(4),
        seen(
            Text(
                "the slower of two requests ends soon after the quicker is answered",
                "速いほうの応答が届いたら、遅いほうのリクエストもすぐに終わる",
            ),
            _losers_left,
        ),
        together(2),
    ),
)
