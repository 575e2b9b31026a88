"""The line that says how far a run has come."""

from __future__ import annotations

import math
import os
import re
from io import StringIO
from unittest import mock

from nbtwisted.client.terminal.progress import ProgressLine
from tests.guard import ClockCase


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        """What was drawn, without what moves the cursor and paints."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


class Gone(Terminal):
    def write(self, text: str) -> int:
        raise OSError

    def flush(self) -> None:
        raise OSError


class ProgressTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        # Rich asks the environment what the terminal can do.
        terminal = mock.patch.dict(os.environ, TERM="xterm")
        terminal.start()
        self.addCleanup(terminal.stop)

    def test_counts(self) -> None:
        screen = Terminal()
        line = ProgressLine(screen, 3)
        line.count(failed=False)
        line.count(failed=True)
        line.draw()
        self.assertIn("2/3 done 1 failed", screen.text())
        line.close()

    def test_of_nobody_knows_how_many(self) -> None:
        screen = Terminal()
        line = ProgressLine(screen, math.inf)
        line.count(failed=False)
        line.draw()
        self.assertIn("1 done", screen.text())
        self.assertNotIn("/", screen.text())
        line.close()

    def test_not_in_the_way_of_what_is_written(self) -> None:
        screen = Terminal()
        line = ProgressLine(screen, 3)
        line.draw()
        with line.hidden():
            screen.write("answer\n")
        line.draw()
        line.close()
        # Its line was wiped before.
        self.assertIn("\x1b[2Kanswer\n", screen.getvalue())

    def test_whoever_ends_the_process_has_a_cursor(self) -> None:
        screen = Terminal()
        line = ProgressLine(screen, 3)
        for _ in range(2):
            line.draw()
            hidden = screen.getvalue().rfind("\x1b[?25l")
            self.assertGreater(screen.getvalue().rfind("\x1b[?25h"), hidden)
            with line.hidden():
                pass
        line.close()

    def test_hidden_and_closed_before_it_was_drawn(self) -> None:
        screen = Terminal()
        line = ProgressLine(screen, 3)
        with line.hidden():
            pass
        line.close()
        self.assertEqual(screen.getvalue(), "")

    def test_to_a_file_once_at_the_end(self) -> None:
        file = StringIO()
        line = ProgressLine(file, 2)
        for _ in range(2):
            line.count(failed=False)
            line.draw()
        line.close()
        self.assertEqual(file.getvalue().count("done"), 1)
        self.assertIn("2/2 done", file.getvalue())

    def test_a_file_has_no_second_line_for_what_stands_beside(self) -> None:
        # Whatever other programs are told of what they write into.
        with mock.patch.dict(os.environ, FORCE_COLOR="1", TTY_COMPATIBLE="1"):
            file = StringIO()
            line = ProgressLine(file, 2)
            for _ in range(2):
                line.count(failed=True)
                line.draw()
                with line.hidden():
                    file.write("an error\n")
            line.close()
        first, second, last, end = file.getvalue().split("\n")
        self.assertEqual((first, second, end), ("an error", "an error", ""))
        self.assertIn("2/2 done 2 failed", last)
        self.assertNotIn("\x1b[1A", last)

    def test_a_terminal_that_is_gone(self) -> None:
        line = ProgressLine(Gone(), 3)
        line.draw()
        with line.hidden():
            pass
        line.close()
