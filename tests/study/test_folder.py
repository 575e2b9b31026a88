"""A reader's own folder."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

from nbtwisted.study.folder import COLUMNS, MARK, ReadersFolder
from nbtwisted.study.lesson import LESSONS
from nbtwisted.timeline.columns import width_of
from tests.study.small_study import EXERCISE, JAPANESE, SmallStudyCase

ALL = [
    f"{lesson}/{program}.py"
    for lesson in ("01-first", "02-second")
    for program in ("exercise_1", "exercise_2", "program")
]


class FolderCase(SmallStudyCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = ReadersFolder(self.place / "mine")

    def written(self) -> list[str]:
        paths = self.folder.fill("en")
        return sorted(str(path.relative_to(self.folder.path)) for path in paths)


class FillTests(FolderCase):
    def test_a_folder_that_is_not_there(self) -> None:
        self.assertEqual(self.written(), ALL)
        program = self.folder.program(LESSONS[0])
        self.assertEqual(program.read_text(), LESSONS[0].program.read_text())
        self.assertFalse((self.folder.path / "01-first" / "solution_1.py").exists())

    def test_a_folder_in_folders_that_are_not_there(self) -> None:
        self.folder = ReadersFolder(self.place / "a" / "b" / "c")
        self.assertEqual(self.written(), ALL)

    def test_an_empty_folder(self) -> None:
        self.folder.path.mkdir()
        self.assertEqual(self.written(), ALL)

    def test_what_is_there_stays(self) -> None:
        self.written()
        mine = self.folder.exercise(LESSONS[0].exercises[0])
        mine.write_text("mine")
        self.assertEqual(self.written(), [])
        self.assertEqual(mine.read_text(), "mine")

    def test_what_is_missing_comes_back(self) -> None:
        self.written()
        self.folder.exercise(LESSONS[0].exercises[0]).unlink()
        self.folder.program(LESSONS[1]).unlink()
        self.assertEqual(
            self.written(), ["01-first/exercise_1.py", "02-second/program.py"]
        )

    def test_a_folder_of_somebody_elses(self) -> None:
        self.folder.path.mkdir()
        (self.folder.path / "thesis.txt").write_text("a")
        with self.assertRaises(FileExistsError):
            self.folder.fill("en")
        self.assertEqual([p.name for p in self.folder.path.iterdir()], ["thesis.txt"])

    def test_a_file_in_its_place(self) -> None:
        self.folder.path.write_text("a")
        with self.assertRaises(FileExistsError):
            self.folder.fill("en")
        self.assertEqual(self.folder.path.read_text(), "a")

    def test_a_file_in_the_place_of_a_lesson(self) -> None:
        self.folder.path.mkdir()
        (self.folder.path / MARK).touch()
        (self.folder.path / "01-first").write_text("a")
        with self.assertRaises(FileExistsError) as caught:
            self.folder.fill("en")
        self.assertEqual(caught.exception.filename, str(self.folder.path / "01-first"))

    def test_a_place_that_cannot_be_written(self) -> None:
        with self.assertRaises(OSError):
            ReadersFolder(Path("/proc/mine")).fill("en")


class AroundTests(FolderCase):
    def test_in_it(self) -> None:
        self.written()
        for path in (self.folder.path, self.folder.path / "01-first"):
            found = ReadersFolder.around(path)
            assert found is not None
            self.assertEqual(found.path, self.folder.path)

    def test_in_none(self) -> None:
        self.assertIsNone(ReadersFolder.around(self.place))
        self.assertIsNone(ReadersFolder.around(self.place / "not" / "there"))
        self.assertIsNone(ReadersFolder.around(Path("a\x00b")))


class HeaderTests(FolderCase):
    def header(self, language: str) -> list[str]:
        self.folder.fill(language)  # type: ignore[arg-type]
        exercise = self.folder.exercise(LESSONS[0].exercises[0])
        text = exercise.read_text(encoding="utf-8")
        # The program itself is as it was.
        self.assertTrue(text.endswith("\n\n" + EXERCISE), text)
        header = text[: -len(EXERCISE) - 1].splitlines()
        for line in header:
            self.assertTrue(line == "#" or line.startswith("# "), line)
            self.assertLessEqual(width_of(line), COLUMNS + 2, line)
        return [line[2:] for line in header]

    def test_english(self) -> None:
        self.assertEqual(
            self.header("en"),
            [
                "1.1 Ask the server",
                "",
                "It prints what it never asked for.",
                "",
                "To judge it: nbtwisted study check 1.1",
                "For a hint:  nbtwisted study hint 1.1",
            ],
        )

    def test_japanese(self) -> None:
        self.assertEqual(
            self.header("ja"),
            [
                "1.1 サーバに聞く",
                "",
                "聞いていないことを表示しています。",
                "",
                "判定:   nbtwisted study check 1.1",
                "ヒント: nbtwisted study hint 1.1",
            ],
        )

    def long(self, text: str, *, language: str = "ja") -> list[str]:
        page = self.lessons / "01-first" / "lesson.ja.md"
        page.write_text(
            JAPANESE.format(number=1).replace(
                "聞いていないことを表示しています。", text
            ),
            encoding="utf-8",
        )
        return self.header(language)[2:-3]

    def test_a_long_line_of_japanese(self) -> None:
        text = "このプログラムは、サーバに聞いていないことを表示しています。" * 5
        lines = self.long(text)
        self.assertEqual("".join(lines), text)
        self.assertGreater(len(lines), 3)
        for line in lines:
            self.assertNotIn(line[0], "、。」)", line)

    def test_nothing_but_full_stops(self) -> None:
        text = "あ" + "。" * 200
        self.assertEqual("".join(self.long(text)), text)

    def test_a_word_that_is_longer_than_a_line(self) -> None:
        text = "あ" * 20 + "a" * 100 + "い"
        self.assertEqual("".join(self.long(text)), text)

    def test_code_in_a_task(self) -> None:
        # A program with such a comment is one still.
        self.long('"""` \\\n\n    import this\n- 一つ\n- 二つ')
        exercise = self.folder.exercise(LESSONS[0].exercises[0])
        source = exercise.read_text(encoding="utf-8")
        self.assertEqual(ast.dump(ast.parse(source)), ast.dump(ast.parse(EXERCISE)))
        list(tokenize.generate_tokens(io.StringIO(source).readline))
