"""Records a run of each lesson's program, for the pages: their figures and pictures.

    python -m tests.study.record [LESSON …]

A run that is not what its page claims is not recorded. Of the requests, no more than
the first `MOST_REQUESTS` are: a lesson has ten thousand, and a picture twelve bars.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from nbtwisted.study.lesson import LESSONS, Lesson, find_lesson
from nbtwisted.study.run import Run
from nbtwisted.study.running import Runner

MOST_REQUESTS = 200


def thinned(run: Run) -> Run:
    """The run, without requests that are too many to keep."""
    return replace(run, requests=run.requests[:MOST_REQUESTS])


def main() -> None:
    """Raises `SystemExit`: 1 if a program did not do what its page claims."""
    lessons: list[Lesson | None] = [find_lesson(name) for name in sys.argv[1:]]
    wrong = 0
    with Runner() as runner:
        for lesson in lessons or LESSONS:
            assert lesson is not None, "expected the names of lessons"
            run = runner.run(lesson.program, lesson.task)
            finding = lesson.task.judge(run)
            if finding is None:
                document = thinned(run).as_json()
                (lesson.folder / "run.json").write_text(document, encoding="utf-8")
                print(f"{lesson.name}: recorded, {run.seconds:.2f} s")
            else:
                wrong += 1
                print(f"{lesson.name}: expected: {finding.expected.en}")
                print(f"{lesson.name}: seen: {finding.seen.en}", run.stderr[-2000:])
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
