"""What a reader sees of a run and of its judgement."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study.progress import Progress, ProgressFile
from nbtwisted.study.run import Run
from nbtwisted.study.screen import MOST_LINES, Screen
from nbtwisted.study.task import Finding
from nbtwisted.study.text import Language, Text
from tests.study.runs import a_run


class ScreenCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)

    def screen(self, language: Language, encoding: str = "utf-8") -> Screen:
        stream = io.TextIOWrapper(io.BytesIO(), encoding, write_through=True)
        self.patch(sys, "stdout", stream)
        self.bytes = stream.buffer
        return Screen(language)

    def seen(self) -> str:
        assert isinstance(self.bytes, io.BytesIO)
        return self.bytes.getvalue().decode()


class RunTests(ScreenCase):
    def seen_of(self, run: Run, language: Language = "en") -> list[str]:
        self.screen(language).write_run(run)
        return self.seen().splitlines()

    def test_what_a_program_printed_is_escaped(self) -> None:
        lines = self.seen_of(
            a_run(stdout="\x1b[2Ja\u202e\r\nb\x9bc\n", stderr="\x1b]0;d\x07\n")
        )
        self.assertEqual(lines[:2], ["  \\x1b[2Ja\\u202e", "  b\\x9bc"])
        self.assertEqual(lines[-1], "! \\x1b]0;d\\x07")

    def test_only_the_first_lines_are_shown(self) -> None:
        many = "".join(f"line {number}\n" for number in range(12_345))
        lines = self.seen_of(a_run(stdout=many))
        self.assertEqual(lines[MOST_LINES - 1], f"  line {MOST_LINES - 1}")
        self.assertEqual(lines[MOST_LINES], "  … and 12,325 lines more")
        japanese = self.seen_of(a_run(stdout=many), "ja")
        self.assertEqual(japanese[MOST_LINES], "  … ほかに 12,325 行")

    def test_a_long_line_is_cut(self) -> None:
        [line, *_] = self.seen_of(a_run(stdout="x" * 1_000_000))
        self.assertLess(len(line), 300)
        self.assertTrue(line.endswith("..."))

    def test_the_last_of_what_it_complained_of(self) -> None:
        lines = self.seen_of(a_run(stderr="\n".join(map(str, range(100)))))
        self.assertEqual(lines[-MOST_LINES:], [f"! {n}" for n in range(80, 100)])


class FindingTests(ScreenCase):
    BAD = Finding(False, Text("a \x1b[2J", "あ"), Text("b \u202e", "い \x07"))

    def seen_of(self, finding: Finding, language: Language, encoding: str) -> str:
        self.screen(language, encoding).write_finding(finding)
        return self.seen()

    def test_a_bad_one(self) -> None:
        seen = self.seen_of(self.BAD, "en", "utf-8")
        self.assertEqual(seen, "  ✗ a \\x1b[2J\n    seen: b \\u202e\n")
        seen = self.seen_of(self.BAD, "ja", "utf-8")
        self.assertEqual(seen, "  ✗ あ\n    実際: い \\x07\n")

    def test_a_good_one(self) -> None:
        good = replace(self.BAD, is_good=True)
        self.assertEqual(self.seen_of(good, "ja", "utf-8"), "  ✓ あ\n")

    def test_ascii(self) -> None:
        seen = self.seen_of(self.BAD, "en", "ascii")
        self.assertTrue(seen.startswith("  - a "), seen)
        good = replace(self.BAD, is_good=True)
        self.assertTrue(self.seen_of(good, "en", "ascii").startswith("  + a "))


class RememberTests(ScreenCase):
    def test_what_cannot_be_kept_is_said(self) -> None:
        # Nobody can make folders there, not even root.
        file = ProgressFile(Path("/proc/no-home"))
        for language, words in (
            ("en", "your progress is not kept"),
            ("ja", "進み具合を記録できません"),
        ):
            self.patch(sys, "stderr", io.StringIO())
            screen = self.screen(language)  # type: ignore[arg-type]
            screen.remember(file, lambda progress: progress.with_read("01-first"))
            stderr = sys.stderr
            assert isinstance(stderr, io.StringIO)
            self.assertEqual(
                stderr.getvalue(),
                f"nbtwisted study: warning: {words}: "
                "/proc/no-home: No such file or directory\n",
            )
        self.assertEqual(file.read(), Progress())


class LanguageTests(ScreenCase):
    def test_a_stream_without_japanese(self) -> None:
        screen = self.screen("ja", "latin-1")
        self.assertEqual(screen.language, "en")
        self.assertIn("latin-1 has no Japanese", self.stderr.getvalue())
        # A character that it has not is no reason to fail.
        screen.write("日本")
        assert isinstance(self.bytes, io.BytesIO)
        self.assertEqual(self.bytes.getvalue(), b"??\n")

    def test_one_with_japanese(self) -> None:
        self.assertEqual(self.screen("ja", "euc-jp").language, "ja")
        self.assertEqual(self.stderr.getvalue(), "")
