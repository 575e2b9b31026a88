"""`nbtwisted study` with the two small lessons of a folder.

    python -m small_lessons FOLDER [ARGUMENT …]

Nothing of `tests` is imported: that takes longer than the command.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from nbtwisted.study import judges, lesson
from nbtwisted.study.checks import (
    answers,
    prints,
    takes,
    together,
)
from nbtwisted.study.lesson import Lesson
from nbtwisted.study.task import Task
from nbtwisted.study.text import Text

NAMES = ("01-first", "02-second")

PROGRAM_TASK = Task(answers(2), takes(below=5.0))

EXERCISE_TASKS = (
    Task(
        answers(2),
        together(1),
        prints("^200$", Text("it prints 200", "200 と表示する")),
        seconds=5,
    ),
    Task(answers(2), seconds=5, traced=False),
)


def use(folder: Path) -> None:
    """Have the study know these lessons, and no others."""
    known = lesson.LESSONS
    assert isinstance(known, list)
    known[:] = [Lesson(folder / name) for name in NAMES]
    for name in NAMES:
        module = ModuleType(f"{judges.__name__}.{name[3:]}")
        vars(module).update(PROGRAM=PROGRAM_TASK, EXERCISES=EXERCISE_TASKS)
        sys.modules[module.__name__] = module


def main() -> None:
    """Raises `SystemExit`."""
    from nbtwisted.__main__ import main as nbtwisted

    folder, *arguments = sys.argv[1:]
    use(Path(folder))
    sys.argv = ["nbtwisted", "study", *arguments]
    nbtwisted()


if __name__ == "__main__":
    main()
