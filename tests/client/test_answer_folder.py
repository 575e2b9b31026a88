"""A folder for answers: nothing outside it is written to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from nbtwisted.client.results.folder import ResultFolder
from tests.guard import ClockCase


class AnswerFolderTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        around = tempfile.TemporaryDirectory()
        self.addCleanup(around.cleanup)
        self.around = Path(around.name)
        self.path = self.around / "new" / "answers"
        self.folder = ResultFolder(str(self.path))

    def test_files(self) -> None:
        self.folder.write("0.raw", b"longer")
        self.folder.write("0.raw", b"short")
        self.folder.write("1.raw", b"")
        self.assertEqual((self.path / "0.raw").read_bytes(), b"short")
        self.assertEqual(sorted(os.listdir(self.path)), ["0.raw", "1.raw"])

    def refused(self, words: str) -> None:
        with self.assertRaises(OSError) as caught:
            self.folder.write("0.raw", b"answer")
        error = caught.exception
        self.assertEqual(error.filename, str(self.path / "0.raw"))
        self.assertIn(words, error.strerror)

    def test_what_others_have_put_there(self) -> None:
        outside, inside = self.around / "precious", self.path / "0.raw"
        outside.write_bytes(b"precious")
        inside.symlink_to(outside)
        self.refused("symbolic link")
        inside.unlink()
        inside.symlink_to(self.around / "not there yet")
        self.refused("symbolic link")
        inside.unlink()
        inside.hardlink_to(outside)
        self.refused("alone")
        inside.unlink()
        os.mkfifo(inside)
        self.refused("")
        reader = os.open(inside, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.refused("alone")
        inside.unlink()
        inside.mkdir()
        self.refused("Is a directory")
        self.assertEqual(outside.read_bytes(), b"precious")
        self.assertEqual(sorted(os.listdir(self.around)), ["new", "precious"])

    def test_it_stays_where_it_was(self) -> None:
        elsewhere = self.around / "elsewhere"
        elsewhere.mkdir()
        moved = self.path.rename(self.around / "moved")
        self.path.symlink_to(elsewhere)
        self.folder.write("0.raw", b"answer")
        self.assertEqual(list(elsewhere.iterdir()), [])
        self.assertEqual((moved / "0.raw").read_bytes(), b"answer")

    def test_one_that_cannot_be_written(self) -> None:
        for path in ("/dev/null/x", "/proc/x"):
            with self.assertRaises(OSError):
                ResultFolder(path)
