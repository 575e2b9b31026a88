"""The lessons, and the parts of each."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbtwisted.study.run import Run
from nbtwisted.study.task import Task
from nbtwisted.study.text import Language

__all__ = ["LESSONS", "Exercise", "Lesson", "find_exercises", "find_lesson"]

_FOLDER = Path(__file__).parent
_TITLE = re.compile(r"^# \d+\. (.*)$", re.MULTILINE)
_EXERCISE = re.compile(r"^## (?:Exercise|練習) (\d+): *(.*)$", re.MULTILINE)
_HINT = re.compile(r"(?:^>.*\n?)+", re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    """A small program that is broken, and its judge."""

    lesson: Lesson
    number: int
    task: Task

    @property
    def name(self) -> str:
        """As people type it: `5.1`."""
        return f"{self.lesson.number}.{self.number}"

    @property
    def program(self) -> Path:
        """The program as it is given."""
        return self.lesson.folder / f"exercise_{self.number}.py"

    @property
    def solution(self) -> Path:
        """The program mended."""
        return self.lesson.folder / f"solution_{self.number}.py"

    def title(self, language: Language) -> str:
        """What it is called."""
        return self._section(language)[0]

    def text(self, language: Language) -> str:
        """What is broken, and what it shall do: Markdown, without the hint."""
        return _HINT.sub("", self._section(language)[1]).strip()

    def hint(self, language: Language) -> str:
        """A hint: Markdown."""
        found = _HINT.search(self._section(language)[1])
        assert found is not None, f"{self.name} has no hint"
        return re.sub(r"^> ?", "", found[0], flags=re.MULTILINE).strip()

    def _section(self, language: Language) -> tuple[str, str]:
        page = self.lesson.page(language)
        found = list(_EXERCISE.finditer(page))
        ends = [match.start() for match in found[1:]] + [len(page)]
        for match, end in zip(found, ends, strict=True):
            if int(match[1]) == self.number:
                return match[2], page[match.end() : end]
        raise LookupError(f"{self.lesson.name}: no exercise {self.number}")


@dataclass(frozen=True)
class Lesson:
    """A page, a program, and exercises, in a folder of the package."""

    folder: Path

    @property
    def name(self) -> str:
        """As people type it: `05-epoll`."""
        return self.folder.name

    @property
    def number(self) -> int:
        """Its place: 1 is the first."""
        return int(self.name[:2])

    @property
    def program(self) -> Path:
        """The program that the page is about."""
        return self.folder / "program.py"

    @property
    def task(self) -> Task:
        """What the page claims of its program."""
        task: Task = self._judge.PROGRAM
        return task

    @property
    def exercises(self) -> Sequence[Exercise]:
        """In their order."""
        return [Exercise(self, n, t) for n, t in enumerate(self._judge.EXERCISES, 1)]

    @property
    def recorded(self) -> Run:
        """The run that the page's figures and pictures are from."""
        return Run.from_json((self.folder / "run.json").read_text(encoding="utf-8"))

    def page(self, language: Language) -> str:
        """The page: Markdown, with fences and figures that are to be filled in."""
        return (self.folder / f"lesson.{language}.md").read_text(encoding="utf-8")

    def page_without_hints(self, language: Language) -> str:
        """The page for somebody who has yet to solve the exercises."""
        page = self.page(language)
        first = _EXERCISE.search(page)
        assert first is not None, f"{self.name} has no exercises"
        return page[: first.start()] + _HINT.sub("", page[first.start() :])

    def title(self, language: Language) -> str:
        """What it is called."""
        found = _TITLE.search(self.page(language))
        assert found is not None, f"{self.name} has no title"
        return found[1]

    @property
    def _judge(self) -> Any:
        name = self.name[3:].replace("-", "_")
        return importlib.import_module(f"nbtwisted.study.judges.{name}")


LESSONS: Sequence[Lesson] = [
    Lesson(page.parent) for page in sorted(_FOLDER.glob("[0-9][0-9]-*/lesson.en.md"))
]
"""In their order."""


def find_lesson(name: str) -> Lesson | None:
    """The lesson that people call `5`, `05` or `05-epoll`."""
    for lesson in LESSONS:
        if name in (lesson.name, lesson.name[:2], str(lesson.number)):
            return lesson
    return None


def find_exercises(name: str) -> Sequence[Exercise]:
    """The exercises that people call `5.1`, or by the path of its program.

    A lesson's name is that of all its exercises. The list is empty for other names.
    """
    lesson = find_lesson(name)
    if lesson is not None:
        return lesson.exercises
    path = Path(name)
    file = re.fullmatch(r"exercise_(\d+)(?:\.py)?", path.name)
    if file:
        # A folder called `1` is not lesson 1: its own name alone counts.
        folder, number = path.resolve().parent.name, file[1]
        lesson = next((each for each in LESSONS if each.name == folder), None)
    else:
        place, _, number = name.partition(".")
        lesson = find_lesson(place)
    if lesson is None:
        return []
    return [e for e in lesson.exercises if str(e.number) == number]
