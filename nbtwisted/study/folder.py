"""A reader's own folder: the programs of the lessons, and the exercises."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nbtwisted.study.lesson import LESSONS, Exercise, Lesson
from nbtwisted.study.text import Language, Text
from nbtwisted.study.wrapping import wrapped

__all__ = ["ReadersFolder"]

MARK = ".nbtwisted-study"
"""The file that says what a folder is."""

COLUMNS = 76
"""Of the comment above an exercise."""


class ReadersFolder:
    """A folder whose programs may be changed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def around(cls, path: Path) -> ReadersFolder | None:
        """The one that a path is in; None if it is in none."""
        for folder in (path, *path.parents):
            if (folder / MARK).is_file():
                return cls(folder)
        return None

    def fill(self, language: Language) -> Sequence[Path]:
        """Write the programs that are not there; returns their paths.

        What is there stays as it is. Raises `FileExistsError` if the folder is
        something else's, and `OSError` if it cannot be written.
        """
        if not (self.path / MARK).is_file():
            if self.path.exists() and (
                not self.path.is_dir() or any(self.path.iterdir())
            ):
                raise FileExistsError(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / MARK).touch()
        written = []
        for lesson in LESSONS:
            (self.path / lesson.name).mkdir(exist_ok=True)
            texts = {self.program(lesson): lesson.program.read_text(encoding="utf-8")}
            for exercise in lesson.exercises:
                texts[self.exercise(exercise)] = _with_task(exercise, language)
            for path, text in texts.items():
                if not path.exists():
                    path.write_text(text, encoding="utf-8")
                    written.append(path)
        return written

    def program(self, lesson: Lesson) -> Path:
        """The reader's copy of a lesson's program."""
        return self.path / lesson.name / lesson.program.name

    def exercise(self, exercise: Exercise) -> Path:
        """The reader's copy of an exercise."""
        return self.path / exercise.lesson.name / exercise.program.name


def _with_task(exercise: Exercise, language: Language) -> str:
    """The program of an exercise, below a comment that says what it is about."""
    title = f"{exercise.name} {exercise.title(language)}"
    name = exercise.name
    commands = Text(
        f"To judge it: nbtwisted study check {name}\n"
        f"For a hint:  nbtwisted study hint {name}",
        f"判定:   nbtwisted study check {name}\nヒント: nbtwisted study hint {name}",
    )
    paragraphs = [title, exercise.text(language), commands.of(language)]
    lines = [
        f"# {part}".rstrip()
        for line in "\n\n".join(paragraphs).splitlines()
        for part in wrapped(line, COLUMNS)
    ]
    program = exercise.program.read_text(encoding="utf-8")
    return "\n".join(lines) + "\n\n" + program
