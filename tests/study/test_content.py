"""The lessons' pages and programs: what can be seen of them without a run.

Their programs are run by `make study`.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study import lesson as lesson_module
from nbtwisted.study.lesson import LESSONS, Lesson
from nbtwisted.study.page import figures, filled
from nbtwisted.study.text import LANGUAGES, Language
from nbtwisted.timeline.columns import width_of

FOLDERS = sorted(Path(lesson_module.__file__).parent.glob("[0-9][0-9]-*"))

WRONG = Path(__file__).parent / "wrong"

MOST_LINES = 60
"""Of a lesson's program."""

LONGEST_WORD = 38
"""Columns: a longer one breaks a screen of 40."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"\{\{ *([^{}]*?) *\}\}")
EXERCISE = re.compile(r"^## (?:Exercise|練習) (\d+): .", re.MULTILINE)

NOT_OURS = re.compile(
    "[０-９Ａ-Ｚａ-ｚ]|(?:サーバ|ユーザ|ディスクリプタ|リアクタ|バッファ)ー"
)
"""What Japanese pages write in another way: 「サーバ」, half-width digits."""


class ContentTests(SynchronousTestCase):
    maxDiff = None

    def expect(self, problems: Callable[[Lesson], Iterator[str]]) -> None:
        found = [f"{lesson.name}: {p}" for lesson in LESSONS for p in problems(lesson)]
        self.assertEqual(found, [])

    def expect_of_pages(
        self, problems: Callable[[Lesson, Language, str], Iterator[str]]
    ) -> None:
        def of_lesson(lesson: Lesson) -> Iterator[str]:
            for language in LANGUAGES:
                for problem in problems(lesson, language, lesson.page(language)):
                    yield f"lesson.{language}.md: {problem}"

        self.expect(of_lesson)

    def test_every_lesson_has_all_its_files(self) -> None:
        problems = []
        for folder in FOLDERS:
            name = folder.name[3:].replace("-", "_")
            expected = {"lesson.en.md", "lesson.ja.md", "program.py", "run.json"}
            try:
                judge = importlib.import_module(f"nbtwisted.study.judges.{name}")
            except ModuleNotFoundError:
                problems.append(f"{folder.name}: no judge")
                continue
            for number, _ in enumerate(judge.EXERCISES, 1):
                expected |= {f"exercise_{number}.py", f"solution_{number}.py"}
            there = {p.name for p in folder.iterdir() if p.name != "__pycache__"}
            problems += [f"{folder.name}: no {n}" for n in sorted(expected - there)]
            problems += [
                f"{folder.name}: what is {n}?" for n in sorted(there - expected)
            ]
            if len(judge.EXERCISES) < 2:
                problems.append(f"{folder.name}: fewer than two exercises")
        self.assertEqual(problems, [])

    def test_lessons_are_numbered_without_a_gap(self) -> None:
        numbers = [int(folder.name[:2]) for folder in FOLDERS]
        self.assertEqual(numbers, list(range(1, len(FOLDERS) + 1)))
        self.assertGreater(len(FOLDERS), 0)

    def test_wrong_solutions(self) -> None:
        def problems(lesson: Lesson) -> Iterator[str]:
            folder = WRONG / lesson.name
            there = {path.name for path in folder.glob("*.py")}
            for exercise in lesson.exercises:
                begin = f"exercise_{exercise.number}_"
                of_exercise = {name for name in there if name.startswith(begin)}
                if len(of_exercise) < 2:
                    yield f"fewer than two wrong solutions of {exercise.name}"
                there -= of_exercise
                given = exercise.program.read_bytes()
                for path in (*map(folder.joinpath, of_exercise), exercise.solution):
                    if path.read_bytes() == given:
                        yield f"{path.name} is the exercise as it is given"
            for name in sorted(there):
                yield f"what is wrong/{name}?"

        self.expect(problems)

    def test_programs_are_short(self) -> None:
        def problems(lesson: Lesson) -> Iterator[str]:
            lines = lesson.program.read_text(encoding="utf-8").count("\n")
            if lines > MOST_LINES:
                yield f"program.py has {lines} lines: expected at most {MOST_LINES}"

        self.expect(problems)

    def test_programs_are_python(self) -> None:
        for folder in (*FOLDERS, *WRONG.iterdir()):
            for path in folder.glob("*.py"):
                compile(path.read_text(encoding="utf-8"), path, "exec")

    def test_titles(self) -> None:
        def problems(lesson: Lesson, _: Language, page: str) -> Iterator[str]:
            if not re.match(rf"# {lesson.number}\. \S", page):
                yield f"it begins with {page.partition(chr(10))[0]!r}"

        self.expect_of_pages(problems)

    def test_exercises(self) -> None:
        def problems(lesson: Lesson, language: Language, page: str) -> Iterator[str]:
            numbers = [int(number) for number in EXERCISE.findall(page)]
            expected = [exercise.number for exercise in lesson.exercises]
            if numbers != expected:
                yield f"exercises {numbers}: expected {expected}"
                return
            # A page in one language has no headings of the other.
            other = "練習" if language == "en" else "Exercise"
            if f"\n## {other} " in page:
                yield f"a heading {other!r}"
            parts = EXERCISE.split(page)[2::2]
            for number, part in zip(numbers, parts, strict=True):
                hints = re.findall(r"(?:^>.*\n?)+", part, re.MULTILINE)
                if len(hints) != 1 or not hints[0].strip("> \n"):
                    yield f"exercise {number} has {len(hints)} hints: expected one"
                elif not part.partition("\n>")[0].strip():
                    yield f"exercise {number} has no task"

        self.expect_of_pages(problems)

    def test_fences(self) -> None:
        kinds = {"program", "picture", "output", "python", "text"}

        def problems(lesson: Lesson, language: Language, page: str) -> Iterator[str]:
            fences = FENCE.findall(page)
            if page.count("```") != 2 * len(fences):
                yield "a fence that is not closed, or does not begin its line"
            for kind, text in fences:
                if kind not in kinds:
                    yield f"a fence {kind!r}: expected one of {sorted(kinds)}"
                if kind in ("program", "picture", "output") and text:
                    yield f"a fence {kind!r} that is not empty"
            for kind in ("program", "picture"):
                if kind not in dict(fences):
                    yield f"no fence {kind!r}"

        self.expect_of_pages(problems)

    def test_both_languages_have_the_same_fences(self) -> None:
        def problems(lesson: Lesson) -> Iterator[str]:
            english, japanese = (FENCE.findall(lesson.page(n)) for n in LANGUAGES)
            kinds = [[kind for kind, _ in fences] for fences in (english, japanese)]
            if kinds[0] != kinds[1]:
                yield f"fences {kinds[0]} in English, {kinds[1]} in Japanese"
            for one, other in zip(english, japanese, strict=False):
                # What a program says may be in its reader's language, and text is.
                if one[0] == other[0] == "python" and one[1] != other[1]:
                    yield f"not the same in both languages: {one[1]!r}, {other[1]!r}"

        self.expect(problems)

    def test_both_languages_have_the_same_figures(self) -> None:
        def problems(lesson: Lesson) -> Iterator[str]:
            english, japanese = (set(FIGURE.findall(lesson.page(n))) for n in LANGUAGES)
            for name in sorted(english ^ japanese):
                language = "English" if name in english else "Japanese"
                yield f"{{{{{name}}}}} is only in {language}"

        self.expect(problems)

    def test_figures_are_in_the_recorded_run(self) -> None:
        def problems(lesson: Lesson, language: Language, page: str) -> Iterator[str]:
            known = figures(lesson.recorded, language)
            for name in FIGURE.findall(page):
                if name not in known:
                    yield f"{{{{{name}}}}} is not in run.json"
            # All of them are filled in, whatever their names are made of.
            left = filled(page, dict.fromkeys(FIGURE.findall(page), "7"), str)
            if "{{" in FENCE.sub("", left):
                yield "a figure that is not filled in"

        self.expect_of_pages(problems)

    def test_quotations_are_in_a_program(self) -> None:
        programs = ""
        for lesson in LESSONS:
            programs += lesson.program.read_text(encoding="utf-8")
            for language in LANGUAGES:
                for kind, text in FENCE.findall(lesson.page(language)):
                    if kind == "python" and text not in programs:
                        self.fail(f"{lesson.name}: lesson.{language}.md: {text}")

    def test_recorded_runs_are_of_these_programs(self) -> None:
        def problems(lesson: Lesson) -> Iterator[str]:
            finding = lesson.task.judge(lesson.recorded)
            if finding is not None:
                yield f"run.json: expected {finding.expected.en}: {finding.seen.en}"

        self.expect(problems)

    def test_words_are_no_longer_than_a_narrow_screen(self) -> None:
        def problems(lesson: Lesson, language: Language, page: str) -> Iterator[str]:
            for word in _words(FENCE.sub("", page)):
                if width_of(word.strip("`*,.;:()")) > LONGEST_WORD:
                    yield f"a long word: {word}"

        self.expect_of_pages(problems)

    def test_spelling_of_japanese(self) -> None:
        def problems(lesson: Lesson, language: Language, page: str) -> Iterator[str]:
            if language == "ja":
                yield from (found[0] for found in NOT_OURS.finditer(page))

        self.expect_of_pages(problems)


def _words(text: str) -> Iterator[str]:
    """What a screen does not break: Japanese it breaks anywhere."""
    # A link shows its text.
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    for part in text.split():
        word = ""
        for character in part:
            if unicodedata.east_asian_width(character) in "WF":
                yield word
                word = ""
            else:
                word += character
        yield word
