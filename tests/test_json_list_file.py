"""Files that are valid whenever somebody looks, and however their writer ends."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.json_list_file import CHUNK, JSONListFile
from tests.full_disk import files_of_at_most
from tests.guard import ClockCase


def in_a_fork(action: Callable[[], object]) -> int:
    """Have a fork of this process do something; returns the status of its end."""
    with warnings.catch_warnings():
        # Newer Pythons warn that other threads may have locks: none of ours.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


class JSONListFileTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "list.json")

    def make(self, path: str = "") -> JSONListFile:
        file = JSONListFile(path or self.path, '{"list": [', "\n]}\n")
        self.addCleanup(file.close)
        return file

    def items(self) -> list[Any]:
        read: list[Any] = json.loads(Path(self.path).read_text())["list"]
        return read

    def test_valid_at_any_time(self) -> None:
        file = self.make()
        self.assertEqual(self.items(), [])
        item = "x" * (CHUNK // 2)
        for number in range(10):
            file.put([number, item])
            # What comes soon after another may wait for it.
            self.assertIn(len(self.items()), (number, number + 1))
        file.put("last")
        file.flush()
        self.assertEqual(self.items(), [[n, item] for n in range(10)] + ["last"])

    def test_an_item_waits_a_second_at_most_if_others_follow(self) -> None:
        now = 1000.0
        self.patch(__import__("time"), "monotonic", lambda: now)
        file = self.make()
        file.put(1)
        now += 0.9
        file.put(2)
        self.assertEqual(self.items(), [])
        now += 0.2
        file.put(3)
        self.assertEqual(self.items(), [1, 2, 3])

    def test_a_writer_that_is_killed(self) -> None:
        def write() -> None:
            file = JSONListFile(self.path, '{"list": [', "\n]}\n")
            # A second may pass here: what comes after that is written, too.
            for number in range(40_000):
                file.put(number)
            os.kill(os.getpid(), signal.SIGKILL)

        self.assertEqual(in_a_fork(write), signal.SIGKILL)
        items = self.items()
        self.assertGreater(len(items), 10_000)
        self.assertEqual(items, list(range(len(items))))

    def test_a_disk_that_fills(self) -> None:
        file = self.make()
        with files_of_at_most(2 * CHUNK + 100):
            file.put("x" * CHUNK)
            file.put("x" * CHUNK)
            with self.assertRaises(OSError):
                file.put("x" * CHUNK)
        self.assertEqual(len(self.items()), 2)
        before = Path(self.path).read_bytes()
        # It is said once, and what comes after does no harm.
        file.put("x" * CHUNK)
        file.flush()
        file.close()
        self.assertEqual(Path(self.path).read_bytes(), before)

    def test_no_room_from_the_beginning(self) -> None:
        with self.assertRaises(OSError):
            self.make("/dev/full")

    def test_forks_write_nothing_twice(self) -> None:
        file = self.make()
        file.put("parent")

        def write() -> None:
            file.put("child")
            file.flush()
            file.close()

        self.assertEqual(in_a_fork(write), 0)
        self.assertEqual(self.items(), [])
        file.close()
        self.assertEqual(self.items(), ["parent"])

    def test_a_fork_that_writes_in_the_place_of_the_first(self) -> None:
        file = self.make()

        def write() -> None:
            assert file.claim()
            assert file.claim()
            file.put("child")
            file.close()

        self.assertEqual(in_a_fork(write), 0)
        self.assertEqual(self.items(), ["child"])
        # Others come too late, as does one while the first has it.
        self.assertNotEqual(in_a_fork(lambda: os._exit(not file.claim())), 0)
        self.assertFalse(file.claim())
        other = self.make(self.path + "2")
        self.assertTrue(other.claim())
        self.assertNotEqual(in_a_fork(lambda: os._exit(not other.claim())), 0)

    def test_a_pipe(self) -> None:
        os.mkfifo(self.path)
        read: list[str] = []
        reader = threading.Thread(
            target=lambda: read.append(Path(self.path).read_text())
        )
        reader.start()
        file = self.make()
        file.put(1)
        file.put(2)
        file.close()
        reader.join()
        self.assertEqual(json.loads(read[0]), {"list": [1, 2]})

    @given(st.lists(st.text() | st.integers() | st.lists(st.text())))
    def test_what_was_put_is_there(self, items: list[Any]) -> None:
        file = JSONListFile(self.path, '{"list": [', "\n]}\n")
        for item in items:
            file.put(item)
        file.close()
        self.assertEqual(self.items(), items)
