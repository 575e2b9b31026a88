"""Lessons and exercises: how they are found, and the parts of a page."""

from __future__ import annotations

from pathlib import Path

from nbtwisted.study.lesson import LESSONS, find_exercises, find_lesson
from tests.study.small_lessons import EXERCISE_TASKS, NAMES, PROGRAM_TASK
from tests.study.small_study import SmallStudyCase


class FindLessonTests(SmallStudyCase):
    def test_names(self) -> None:
        for name in ("1", "01", "01-first"):
            self.assertEqual(find_lesson(name), LESSONS[0], name)
        self.assertEqual(find_lesson("2"), LESSONS[1])

    def test_what_is_none(self) -> None:
        for name in (
            "",
            "0",
            "3",
            "first",
            "01-FIRST",
            "-1",
            "1.1",
            "1 ",
            "１",
            "../1",
        ):
            self.assertIsNone(find_lesson(name), name)


class FindExercisesTests(SmallStudyCase):
    def finds(self, name: str, *exercises: str) -> None:
        found = [exercise.name for exercise in find_exercises(name)]
        self.assertEqual(found, list(exercises), name)

    def test_by_name(self) -> None:
        self.finds("1.1", "1.1")
        self.finds("01.2", "1.2")
        self.finds("02-second.1", "2.1")

    def test_by_lesson(self) -> None:
        self.finds("2", "2.1", "2.2")
        self.finds("01-first", "1.1", "1.2")

    def test_by_path(self) -> None:
        self.finds("01-first/exercise_2.py", "1.2")
        self.finds("/somewhere/else/02-second/exercise_1.py", "2.1")
        self.finds("./a/../01-first/exercise_1.py", "1.1")
        self.finds(str(self.lessons / "01-first" / "exercise_1.py"), "1.1")

    def test_what_is_none(self) -> None:
        for name in (
            *("", ".", "1.", ".1", "1.0", "1.3", "3.1", "1.1.1", "1.01", "a.b"),
            *("exercise_1.py", "01-first/exercise_9.py", "01-first/solution_1.py"),
            *("03-third/exercise_1.py", "01-first/exercise_.py", "\x00.1"),
            *("1/exercise_1.py", "01/exercise_1.py"),
        ):
            self.finds(name)


class PageTests(SmallStudyCase):
    def test_lesson(self) -> None:
        first, second = LESSONS
        self.assertEqual((first.name, first.number), (NAMES[0], 1))
        self.assertEqual(second.title("en"), "Lesson 2")
        self.assertEqual(second.title("ja"), "第 2 課")
        self.assertEqual(first.task, PROGRAM_TASK)
        self.assertEqual(first.recorded.stdout, "answer: 42\n")

    def test_exercises(self) -> None:
        first, second = LESSONS[0].exercises
        self.assertEqual((first.name, first.title("en")), ("1.1", "Ask the server"))
        self.assertEqual((second.name, second.title("ja")), ("1.2", "順に聞く"))
        self.assertEqual((first.task, second.task), EXERCISE_TASKS)
        self.assertEqual(first.program.name, "exercise_1.py")
        self.assertEqual(second.solution.name, "solution_2.py")

    def test_text_and_hint(self) -> None:
        first, second = LESSONS[0].exercises
        self.assertEqual(first.text("en"), "It prints what it never asked for.")
        self.assertEqual(second.text("ja"), "これも、だれにも聞いていません。")
        self.assertEqual(first.hint("ja"), "リクエストを 2 件送ります。")
        self.assertEqual(second.hint("en"), "One by one.")

    def test_page_without_hints(self) -> None:
        page = LESSONS[0].page_without_hints("en")
        self.assertNotIn("Send two requests.", page)
        self.assertNotIn("One by one.", page)
        self.assertIn("It asks nobody, too.", page)
        self.assertIn("```program\n```", page)

    def test_a_hint_of_several_lines(self) -> None:
        path = self.lessons / "01-first" / "lesson.en.md"
        page = path.read_text().replace("> Send two", "> `a`\n>\n> Send two")
        path.write_text("> a quotation\n\n" + page)
        first = LESSONS[0].exercises[0]
        self.assertEqual(first.hint("en"), "`a`\n\nSend two requests.")
        # What is quoted before the exercises is no hint.
        self.assertIn("> a quotation", LESSONS[0].page_without_hints("en"))


class InstalledTests(SmallStudyCase):
    def test_a_path_that_is_not_there_is_not_looked_at(self) -> None:
        self.assertFalse(Path("01-first").exists())
        self.assertEqual(len(find_exercises("01-first/exercise_1.py")), 1)
