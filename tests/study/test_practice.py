"""Exercises whose files are saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nbtwisted.study.folder import ReadersFolder
from nbtwisted.study.lesson import LESSONS, Exercise
from nbtwisted.study.practice import saves
from tests.study.small_study import SmallStudyCase


class SavesTests(SmallStudyCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = ReadersFolder(self.place / "mine")
        self.folder.fill("en")
        self.first, self.second = LESSONS[0].exercises

    def saves(self, *edits: Callable[[], object]) -> Iterator[str]:
        """Names of exercises; each pause between two looks is one of the edits."""
        left = iter(edits)
        found = saves(self.folder, [self.first, self.second], lambda: next(left)())
        return (exercise.name for exercise in found)

    def writing(self, exercise: Exercise, text: str) -> Callable[[], object]:
        return lambda: self.folder.exercise(exercise).write_text(text)

    def removing(self, exercise: Exercise) -> Callable[[], object]:
        return self.folder.exercise(exercise).unlink

    def test_one_that_is_saved(self) -> None:
        found = self.saves(
            lambda: None, self.writing(self.second, "a"), self.writing(self.first, "b")
        )
        self.assertEqual([next(found), next(found)], ["1.2", "1.1"])

    def test_each_save_counts_once(self) -> None:
        found = self.saves(
            self.writing(self.first, "a"),
            # The same once more.
            self.writing(self.first, "a"),
            lambda: None,
            self.writing(self.first, "b"),
            self.writing(self.second, "c"),
        )
        self.assertEqual([next(found) for _ in range(3)], ["1.1", "1.1", "1.2"])

    def test_an_editor_that_takes_the_file_away(self) -> None:
        before = self.folder.exercise(self.first).read_text()
        found = self.saves(
            self.removing(self.first),
            lambda: None,
            self.writing(self.first, before),
            self.removing(self.first),
            self.writing(self.first, "a"),
        )
        # What comes back as it was has not changed.
        self.assertEqual(next(found), "1.1")
        self.assertEqual(self.folder.exercise(self.first).read_text(), "a")

    def test_what_is_saved_while_another_is_judged(self) -> None:
        found = self.saves(self.writing(self.first, "a"), lambda: None)
        # Before the first look, while the first exercise is judged.
        self.writing(self.second, "b")()
        self.assertEqual([next(found), next(found)], ["1.1", "1.2"])
