"""What a stream can show."""

from __future__ import annotations

import os
import pty
import struct
from fcntl import ioctl
from termios import TIOCSWINSZ
from unittest import mock

from nbtwisted.client.terminal.screen import Screen
from tests.guard import ClockCase


class ScreenTests(ClockCase):
    def screen(self, height: int, width: int) -> Screen:
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        with mock.patch.dict(os.environ, TERM="xterm", NO_COLOR=""):
            for name in ("COLUMNS", "LINES"):
                os.environ.pop(name, None)
            with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
                return Screen.of(terminal)

    def test_a_terminal(self) -> None:
        found = self.screen(30, 101)
        self.assertEqual((found.width, found.height), (101, 30))
        self.assertEqual((found.colour, found.ascii_only), (True, False))

    def test_one_that_does_not_know_its_size(self) -> None:
        for height, width in ((0, 0), (24, 0), (0, 80)):
            found = self.screen(height, width)
            self.assertGreaterEqual(found.width, 80)
            self.assertGreaterEqual(found.height, 24)
