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
from nbtwisted.study.run import Run
from nbtwisted.study.running import Runner

WRONG = Path(__file__).parent / "wrong"

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
    assert shape(run) == shape(lesson.recorded)


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


def shape(run: Run) -> dict[str, object]:
    """What is the same of two runs of one program, whatever the machine's mood."""
    return {
        "requests": Counter(
            (r.method, re.sub(r"\d{3,}", "#", r.target), r.status, r.outcome, r.fault)
            for r in run.requests
        ),
        "processor": run.user + run.system > run.seconds / 2,
        "prints": re.sub(r"\d+(\.\d+)?", "#", run.stdout).count("\n"),
    }
