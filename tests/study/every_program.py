"""Every program of the study is run and judged: `make study`, some minutes.

Each lesson's program does what its page claims, and what it did when it was recorded.
Each exercise fails as it is given, passes as it is solved, and each wrong solution is
caught.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbtwisted.study.lesson import LESSONS, Exercise, Lesson
from nbtwisted.study.run import Calls, Run
from nbtwisted.study.running import Runner
from tests.study.record import thinned

WRONG = Path(__file__).parent / "wrong"

FEW, MANY = 5, 1_000
"""System calls or threads: fewer calls are not compared; of many, the machine says how
many there are (a loop that spins, threads that start until the first have ended)."""

WAITS = ("epoll_wait", "poll", "select", "futex")
"""How many events one of them brings, the machine says: one each, or all at once."""

CHANCE = ("futex",)
"""Whether two threads meet, and one of these fails, is chance."""

WAITING, SPINNING = 0.2, 0.9
"""Shares of a processor: of a program that waits, at most; of one that spins, at least.

Between them is one that works. Its share says how quick the machine is.
"""

pytestmark = pytest.mark.timeout(180)
"""Seconds: ten thousand connections take 25, and more beside other programs."""

EXERCISES = [exercise for lesson in LESSONS for exercise in lesson.exercises]


def wrong_solutions(exercise: Exercise) -> list[Path]:
    folder = WRONG / exercise.lesson.name
    return sorted(folder.glob(f"exercise_{exercise.number}_*.py"))


ATTEMPTS = [(e, path) for e in EXERCISES for path in wrong_solutions(e)]


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as runner:
        yield runner


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_program_does_what_its_page_claims(runner: Runner, lesson: Lesson) -> None:
    run = runner.run(lesson.program, lesson.task)
    finding = lesson.task.judge(run)
    assert finding is None, (finding, run)
    assert differences(thinned(run), lesson.recorded) == []


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_exercise_fails_as_given(runner: Runner, exercise: Exercise) -> None:
    run = runner.run(exercise.program, exercise.task)
    finding = exercise.task.judge(run)
    assert finding is not None, run
    print(f"expected: {finding.expected.en}\nseen: {finding.seen.en}")


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_exercise_passes_as_solved(runner: Runner, exercise: Exercise) -> None:
    run = runner.run(exercise.solution, exercise.task)
    finding = exercise.task.judge(run)
    assert finding is None, (finding, run)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_exercise_has_wrong_solutions(exercise: Exercise) -> None:
    assert len(wrong_solutions(exercise)) >= 2


@pytest.mark.parametrize(
    ("exercise", "path"), ATTEMPTS, ids=[f"{e.name}-{p.stem[-1]}" for e, p in ATTEMPTS]
)
def test_wrong_solution_is_caught(
    runner: Runner, exercise: Exercise, path: Path
) -> None:
    run = runner.run(path, exercise.task)
    finding = exercise.task.judge(run)
    assert finding is not None, run
    print(f"expected: {finding.expected.en}\nseen: {finding.seen.en}")


def differences(run: Run, recorded: Run) -> list[str]:
    """How the shapes of two runs of one program differ: not their milliseconds.

    All that a page draws or quotes of a run is compared, as far as it is the program's
    and not the machine's mood.
    """
    found = []

    def compare(what: str, ours: object, theirs: object, *, same: bool) -> None:
        if not same:
            found.append(f"{what}: {ours}, and {theirs} when it was recorded")

    ours, theirs = _ends(run), _ends(recorded)
    compare("requests", ours, theirs, same=ours == theirs)
    used = [r.user + r.system for r in (run, recorded)]
    shares = [used[0] / run.seconds, used[1] / recorded.seconds]
    works = WAITING < shares[1] < SPINNING
    # All may be later by a quarter, and by a quarter of what had to be computed.
    last = (_places(recorded)[1] or [0.0])[-1]
    slack = 0.5 + (last + (used[1] if works else 0.0)) / 4
    for what, places, recorded_places in zip(
        ("beginnings", "ends"), _places(run), _places(recorded), strict=True
    ):
        compare(
            what,
            places,
            recorded_places,
            same=all(
                abs(place - other) <= slack
                for place, other in zip(places, recorded_places, strict=False)
            ),
        )
    # A loop that spins has what the machine leaves it.
    spins = shares[1] >= SPINNING
    as_busy = shares[0] > 0.1 if spins else shares[0] < 0.6
    compare("processor", *shares, same=works or as_busy)
    for measure in ("together", "threads", "processes", "descriptors", "memory"):
        here, there = getattr(run, measure), getattr(recorded, measure)
        # Threads have stacks.
        many = measure in ("threads", "memory") and recorded.threads >= MANY
        times = 20 if many else 2
        compare(measure, here, there, same=there / times <= here <= there * times)
    for name, made in (recorded.calls or {}).items():
        if made.count < FEW or run.calls is None:
            continue
        again = run.calls.get(name, Calls(0))
        # A loop gets round as often as the machine lets it.
        times = 20 if made.count >= MANY or name in WAITS else 3
        compare(
            name,
            again.count,
            made.count,
            same=made.count / times <= again.count <= made.count * times,
        )
        for error, count in (made.errors or {}).items():
            is_there = error in (again.errors or {})
            same = is_there or count < FEW or name in CHANCE
            compare(f"{name} {error}", is_there, count, same=same)
    lines, recorded_lines = _lines(run), _lines(recorded)
    compare("output", lines, recorded_lines, same=lines == recorded_lines)
    return found


def _ends(run: Run) -> Counter[tuple[str, str, int | None, str, str | None]]:
    """How many requests ended how. Ports and other long numbers are never the same."""
    return Counter(
        (r.method, re.sub(r"\d{4,}", "#", r.target), r.status, r.outcome, r.fault)
        for r in run.requests
    )


def _places(run: Run) -> tuple[list[float], list[float]]:
    """Where bars begin, and where they end, in seconds from the first one's beginning.

    Each is sorted by itself: which of several that come together is first is chance.
    How long a program takes to start is the machine's mood.
    """
    first = min((r.came for r in run.requests), default=0.0)
    ends = map(run.end_of, run.requests)
    return (
        sorted(round(r.came - first, 2) for r in run.requests),
        sorted(round(end - first, 2) for end in ends),
    )


def _lines(run: Run) -> list[str]:
    """What was printed, without its numbers, in any order."""
    lines = re.sub(r"\d+([.,]\d+)*( +\d+([.,]\d+)*)*", "#", run.stdout).splitlines()
    return sorted(re.sub(r" +", " ", line) for line in lines)
