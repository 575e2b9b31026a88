"""How wide and how high: whatever the environment and the terminal say."""

from __future__ import annotations

import os
import pty
import struct
from contextlib import redirect_stdout
from fcntl import ioctl
from io import StringIO
from termios import TIOCSWINSZ
from typing import IO
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from nbtwisted.client.options.get import read_options as read_get_options
from nbtwisted.client.terminal.progress import ProgressLine
from nbtwisted.client.terminal.screen import Screen
from nbtwisted.console import SizedConsole
from nbtwisted.load.options import read_options as read_load_options
from nbtwisted.load.plan import Plan
from nbtwisted.load.progress import LiveLine
from nbtwisted.load.run import Run
from nbtwisted.screen_size import MOST, screen_size
from nbtwisted.timeline import waterfall
from tests.guard import ClockCase
from tests.timeline.spans import span

WRONG = ("", "0", "-1", "abc", "1.5", "1e3", " 80", "²", "٣", "9" * 5000, "0" * 5000)
LARGE = ("99999999", "9" * 18, "1001")


def environment(**sizes: str) -> mock._patch_dict:
    others = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    return mock.patch.dict(os.environ, {**others, "TERM": "xterm", **sizes}, clear=True)


class ScreenSizeTests(ClockCase):
    def terminal(self, width: int, height: int) -> IO[str]:
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        stream = os.fdopen(theirs, "w", encoding="utf-8")
        self.addCleanup(stream.close)
        return stream

    def test_what_is_no_number_says_nothing(self) -> None:
        for wrong in WRONG:
            with environment(COLUMNS=wrong, LINES=wrong):
                self.assertEqual(screen_size(StringIO()), (80, 24), wrong[:9])
                self.assertEqual(screen_size(self.terminal(101, 30)), (101, 30))

    def test_no_screen_is_larger_than_it_may_be(self) -> None:
        for large in LARGE:
            with environment(COLUMNS=large, LINES=large):
                self.assertEqual(screen_size(StringIO()), (MOST, MOST))
        with environment():
            self.assertEqual(screen_size(self.terminal(65535, 65535)), (MOST, MOST))

    def test_what_is_said_comes_before_what_the_terminal_knows(self) -> None:
        with environment(COLUMNS="60"):
            self.assertEqual(screen_size(self.terminal(101, 30)), (60, 30))
        with environment(LINES="007"):
            self.assertEqual(screen_size(self.terminal(101, 30)), (101, 7))
        with environment():
            self.assertEqual(screen_size(None), (80, 24))

    def test_all_that_is_drawn_has_that_size(self) -> None:
        for said, width in [
            *((wrong, 80) for wrong in WRONG),
            *((large, MOST) for large in LARGE),
            *[("1", 1), ("20", 20), ("200", 200)],
        ]:
            with environment(COLUMNS=said, LINES=said):
                stream = StringIO()
                self.assertEqual(SizedConsole(stream).width, width, said[:9])
                screen = Screen.of(stream)
                self.assertEqual(screen.width, width)
                picture = waterfall([span(1, "a", 0.0, wait=1.0)], width=screen.width)
                self.assertLess(len(picture), 20 * MOST)
                ProgressLine(stream, 10).draw()
                plan = Plan([], 1, 1, 1, None, 1)
                line = LiveLine(stream, Run(Clock(), plan), plan)
                line.draw()
                line.close()
                self.assertLess(len(stream.getvalue()), 10 * MOST)
                for read in (read_get_options, read_load_options):
                    with redirect_stdout(stream), self.assertRaises(SystemExit):
                        read(["--help"])
                lines = stream.getvalue().splitlines()
                if width >= 80:
                    self.assertLessEqual(max(map(len, lines)), width)

    @given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30))
    def test_whatever_the_environment_says(self, said: str) -> None:
        with environment(COLUMNS=said, LINES=said):
            width, height = screen_size(StringIO())
            self.assertTrue(1 <= width <= MOST and 1 <= height <= MOST)
            SizedConsole(StringIO())
