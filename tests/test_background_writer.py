"""Lines that are written in a thread: nobody waits, and what is lost is counted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
import tempfile
import termios
import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.background_writer import BackgroundWriter

LINE = "x" * 99 + "\n"


class BackgroundWriterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list[str] = []

    def pipe(self) -> tuple[int, int]:
        reading, writing = os.pipe()
        for descriptor in (reading, writing):
            self.addCleanup(_close, descriptor)
        return reading, writing

    def writer(self, descriptor: int, **more: Any) -> BackgroundWriter:
        writer = BackgroundWriter(lambda: descriptor, self.told.append, **more)
        self.addCleanup(writer.close)
        return writer

    def test_in_their_order(self) -> None:
        with tempfile.TemporaryFile() as file:
            writer = self.writer(file.fileno())
            lines = [f"{number} {'ü' * (number % 97)}\n" for number in range(3000)]
            for line in lines:
                writer.write(line)
            writer.close(10)
            file.seek(0)
            self.assertEqual(file.read().decode(), "".join(lines))
        self.assertEqual((writer.lost, self.told), (0, []))

    def test_what_nobody_reads(self) -> None:
        reading, writing = self.pipe()
        writer = self.writer(writing, most_waiting=200_000)
        for _ in range(3000):
            writer.write(LINE)
        # A pipe takes 64 KiB, and as many wait as may.
        self.assertGreaterEqual(writer.lost, 3000 - 655 - 2000)
        self.assertEqual(self.told, ["it does not take what is written"])
        in_pipe = bytearray(4)
        while int.from_bytes(in_pipe, sys.byteorder) < 60_000:
            fcntl.ioctl(reading, termios.FIONREAD, in_pipe)
        writer.close(0)
        self.assertEqual(len(self.told), 1)
        arrived = os.read(reading, 1_000_000).count(b"\n")
        # What is being written just now counts as lost, and may still arrive.
        self.assertIn(arrived + writer.lost, range(3000, 3042))

    def test_a_slow_reader_gets_all(self) -> None:
        # Also where somebody has made the pipe non-blocking.
        for is_blocking in (True, False):
            reading, writing = self.pipe()
            os.set_blocking(writing, is_blocking)
            writer = self.writer(writing)
            for _ in range(3000):
                writer.write(LINE)
            received = b""
            while len(received) < 3000 * len(LINE):
                received += os.read(reading, 10_000)
            writer.close(10)
            self.assertEqual((received, writer.lost), (LINE.encode() * 3000, 0))

    def test_a_full_disk(self) -> None:
        with open("/dev/full", "wb") as file:
            writer = self.writer(file.fileno())
            for _ in range(300):
                writer.write(LINE)
            writer.close(10)
        self.assertEqual(writer.lost, 300)
        self.assertEqual(self.told, ["No space left on device"])

    def test_a_reader_that_has_gone(self) -> None:
        reading, writing = self.pipe()
        _close(reading)
        writer = self.writer(writing)
        writer.write(LINE)
        writer.close(10)
        self.assertEqual((writer.lost, self.told), (1, ["Broken pipe"]))

    def test_half_a_line_does_not_spoil_the_next(self) -> None:
        written: list[bytes] = []
        write = os.write

        def scripted(descriptor: int, data: Any) -> int:
            if descriptor != -7:
                return write(descriptor, data)
            written.append(bytes(data))
            if len(written) == 1:
                return 2
            if len(written) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return len(data)

        lost = threading.Event()
        self.patch(os, "write", scripted)
        writer = BackgroundWriter(lambda: -7, lambda why: lost.set())
        writer.write("half\n")
        self.assertTrue(lost.wait(10))
        writer.write("whole\n")
        writer.close(10)
        self.assertEqual(written, [b"half\n", b"lf\n", b"\nwhole\n"])
        self.assertEqual(writer.lost, 1)

    def test_no_thread_before_it_is_needed(self) -> None:
        # Who goes into the background forks, and threads do not come along.
        before = threading.active_count()
        writer = self.writer(-7)
        self.assertEqual(threading.active_count(), before)
        writer.close()
        writer.write("late\n")
        self.assertEqual(writer.lost, 1)


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)
