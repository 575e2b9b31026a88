"""What all commands say, and where it cannot be said."""

from __future__ import annotations

import io
import sys
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.__main__ import main


class HelpTests(SynchronousTestCase):
    def end(self, *arguments: str) -> object:
        self.patch(sys, "argv", ["nbtwisted", *arguments])
        # What would be installed otherwise, for this whole process.
        with patch("nbtwisted.__main__.choose"):
            return self.assertRaises(SystemExit, main).code

    def test_it_is_printed(self) -> None:
        for arguments in [[], ["--help"], ["--version"], ["trace", "--help"]]:
            printed = io.StringIO()
            self.patch(sys, "stdout", printed)
            self.assertIn(self.end(*arguments), (0, None))
            self.assertIn("nbtwisted", printed.getvalue())

    def test_it_cannot_be_printed(self) -> None:
        for arguments in [
            *([], ["--help"], ["--version"], ["get", "--help"], ["load", "--version"]),
            *(["serve", "--help"], ["trace", "--help"]),
        ]:
            said = io.StringIO()
            self.patch(sys, "stderr", said)
            with open("/dev/full", "w") as full:
                self.patch(sys, "stdout", full)
                self.assertEqual(self.end(*arguments), 23, arguments)
                # Python, too, writes at its end what is left.
                full.flush()
            self.assertRegex(
                said.getvalue(),
                r"\Anbtwisted( [a-z]+)?: error: cannot write: No space left .*\n\Z",
            )

    def test_there_is_no_stdout(self) -> None:
        self.patch(sys, "stdout", None)
        for arguments in [["--version"], ["trace", "--help"]]:
            self.assertIn(self.end(*arguments), (0, None))
