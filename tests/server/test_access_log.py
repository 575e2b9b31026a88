"""The access log, in whatever becomes of its file."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.server.access_log import AccessLog, line
from nbtwisted.server.engine.journal import Entry


def entry(path: str) -> Entry:
    made = Entry(1.8e9, "127.0.0.1", b"GET", path.encode(), b"HTTP/1.1", b"")
    made.outcome = "answered"
    return made


def until(condition: Callable[[], object]) -> None:
    """Wait for what the writer's thread does in no time."""
    for _ in range(1_000_000):
        if condition():
            return
        os.sched_yield()
    raise AssertionError("it never came to pass")


class AccessLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "log")
        self.told: list[str] = []

    def log(self) -> AccessLog:
        log = AccessLog(str(self.path), self.told.append)
        self.addCleanup(log.close)
        return log

    def read(self, path: Path | None = None) -> str:
        file = path or self.path
        return file.read_text() if file.exists() else ""

    def test_appends(self) -> None:
        self.path.write_text("before\n")
        log = self.log()
        log.write(entry("/a"))
        log.close()
        self.assertRegex(self.read(), '^before\n127.0.0.1 .* "GET /a HTTP/1.1" .*\n$')

    def test_an_upstream_that_was_asked(self) -> None:
        self.assertNotIn("upstream", line(entry("/a")))
        asked = entry("/a")
        asked.asking_since, asked.upstream = 1.8e9, 0.25
        self.assertTrue(line(asked).endswith(" outcome=answered upstream=0.250"))
        asked.upstream, asked.upstream_error = None, 'connect: "refused"'
        asked.outcome = "upstream failed"
        expected = (
            r'outcome=upstream-failed upstream=- upstream_error="connect: \"refused\""'
        )
        self.assertTrue(line(asked).endswith(" " + expected), line(asked))

    def test_moved_as_logrotate_does(self) -> None:
        log = self.log()
        log.write(entry("/first"))
        until(self.read)
        old = self.path.rename(self.path.with_suffix(".1"))
        log.write(entry("/second"))
        log.close()
        self.assertIn("/first", self.read(old))
        self.assertNotIn("/second", self.read(old))
        self.assertIn("/second", self.read())
        self.assertEqual((log.lost, self.told), (0, []))

    def test_truncated_as_logrotate_does(self) -> None:
        log = self.log()
        log.write(entry("/first"))
        until(self.read)
        os.truncate(self.path, 0)
        log.write(entry("/second"))
        log.close()
        self.assertTrue(self.read().startswith("127.0.0.1"), self.read())

    def test_removed_and_no_place_for_another(self) -> None:
        log = self.log()
        log.write(entry("/first"))
        until(self.read)
        self.path.unlink()
        self.path.mkdir()
        log.write(entry("/second"))
        log.close()
        self.assertEqual((log.lost, self.told), (0, []))

    def test_a_fifo_without_a_reader(self) -> None:
        os.mkfifo(self.path)
        log = self.log()
        log.write(entry("/early"))
        # Its reader comes later.
        with open(self.path, "rb") as reader:
            self.assertIn(b"/early", reader.readline())
        log.close()
        self.assertEqual((log.lost, self.told), (0, []))

    def test_a_full_disk_is_told(self) -> None:
        log = AccessLog("/dev/full", self.told.append)
        for _ in range(5):
            log.write(entry("/a"))
        log.close()
        self.assertEqual(log.lost, 5)
        expected = "cannot write /dev/full: No space left on device"
        self.assertEqual(self.told, [f"the access log loses lines: {expected}"])

    def test_what_cannot_be_opened(self) -> None:
        for path in ("/nowhere/log", "/"):
            with self.assertRaises(OSError):
                AccessLog(path, self.told.append)
        self.patch(sys, "stdout", None)
        with self.assertRaisesRegex(OSError, "standard output is closed"):
            AccessLog("-", self.told.append)
