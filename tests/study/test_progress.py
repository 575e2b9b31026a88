"""What is remembered of a reader."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study.progress import Progress, ProgressFile


class ProgressTests(SynchronousTestCase):
    def test_a_lesson_that_is_read_twice_is_remembered_once(self) -> None:
        progress = Progress().with_read("01-a").with_read("02-b").with_read("01-a")
        self.assertEqual(progress.read, ("01-a", "02-b"))

    def test_what_passed_last_counts(self) -> None:
        progress = Progress().with_solved("1.1", "a").with_solved("1.1", "b")
        self.assertEqual(progress.solved, {"1.1": "b"})


class FileCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.file = ProgressFile(self.folder / "state")

    def write(self, text: str) -> None:
        self.file.path.parent.mkdir(exist_ok=True)
        self.file.path.write_text(text, encoding="utf-8")


class FileTests(FileCase):
    def test_nothing_is_there_at_first(self) -> None:
        self.assertEqual(self.file.read(), Progress())
        self.assertFalse(self.file.path.exists())

    def test_what_is_written_is_read(self) -> None:
        progress = Progress("/home/日本", ("01-a", "02-b"), {"1.1": "ab", "2.1": "cd"})
        self.file.change(lambda _: progress)
        self.assertEqual(self.file.read(), progress)
        self.file.change(lambda found: found.with_read("03-c"))
        self.assertEqual(self.file.read().read, ("01-a", "02-b", "03-c"))
        self.assertEqual(self.file.read().solved, progress.solved)

    def test_nothing_else_stays_in_the_folder(self) -> None:
        self.file.change(lambda found: found.with_read("01-a"))
        left = sorted(os.listdir(self.file.path.parent))
        self.assertEqual(left, ["study.json", "study.lock"])

    def test_files_that_cannot_be_read(self) -> None:
        for text in ("", "{", "[]", "7", "null", '"a"', "[" * 100_000, "\ufeff{}"):
            self.write(text)
            self.assertEqual(self.file.read(), Progress(), text[:20])
        self.file.path.write_bytes(b'{"folder": "\xff"}')
        self.assertEqual(self.file.read(), Progress())

    def test_a_file_of_another_version(self) -> None:
        for values, expected in (
            ({}, Progress()),
            ({"version": 9, "read": ["01-a"]}, Progress(read=("01-a",))),
            ({"read": "01-a", "folder": "/a"}, Progress(folder="/a")),
            ({"read": 7, "solved": ["1.1"], "folder": {}}, Progress()),
            ({"solved": {"1.1": "ab", "1.2": 7}}, Progress(solved={"1.1": "ab"})),
        ):
            self.write(json.dumps(values))
            found = self.file.read()
            # A digest that is none is no program's.
            found.solved.pop("1.2", None)
            self.assertEqual(found, expected, values)

    def test_one_that_cannot_be_read_is_replaced(self) -> None:
        self.write("{")
        self.file.change(lambda found: found.with_read("01-a"))
        self.assertEqual(self.file.read().read, ("01-a",))

    def test_a_place_that_cannot_be_written(self) -> None:
        # For root, too.
        self.write("")
        for folder in (self.file.path, Path("/proc/nothing")):
            file = ProgressFile(folder)
            self.assertEqual(file.read(), Progress())
            with self.assertRaises(OSError):
                file.change(lambda found: found.with_read("01-a"))

    def test_a_folder_is_made(self) -> None:
        file = ProgressFile(self.folder / "a" / "b")
        file.change(lambda found: found.with_read("01-a"))
        self.assertEqual(file.read().read, ("01-a",))


class TwoAtOnceTests(FileCase):
    def test_one_waits_for_the_other(self) -> None:
        entered, go_on = Event(), Event()

        def slowly(found: Progress) -> Progress:
            entered.set()
            self.assertTrue(go_on.wait(10))
            return found.with_read("01-slow")

        first = Thread(target=self.file.change, args=(slowly,))
        first.start()
        self.assertTrue(entered.wait(10))
        # The first has the lock, as a process would have it.
        lock = self.file.path.parent / "study.lock"
        with lock.open("w") as file, self.assertRaises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        second = Thread(
            target=self.file.change, args=(lambda found: found.with_read("02-fast"),)
        )
        second.start()
        self.assertEqual(self.file.read(), Progress())
        go_on.set()
        first.join(10)
        second.join(10)
        self.assertEqual(self.file.read().read, ("01-slow", "02-fast"))

    def test_none_is_lost_of_many(self) -> None:
        def read(number: int) -> None:
            self.file.change(lambda found: found.with_read(f"{number:02}"))

        threads = [Thread(target=read, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        self.assertEqual(len(self.file.read().read), 20)


class PlaceTests(SynchronousTestCase):
    def of(self, **environment: str) -> Path:
        kept = {k: v for k, v in os.environ.items() if k != "XDG_STATE_HOME"}
        self.patch(os, "environ", {**kept, **environment})
        return ProgressFile.of_user().path

    def test_the_folder_for_state(self) -> None:
        path = self.of(XDG_STATE_HOME="/a", HOME="/b")
        self.assertEqual(path, Path("/a/nbtwisted/study.json"))

    def test_the_home_folder(self) -> None:
        for given in ("", "relative/a"):
            path = self.of(XDG_STATE_HOME=given, HOME="/b")
            self.assertEqual(path, Path("/b/.local/state/nbtwisted/study.json"))

    def test_nobody_has_no_home(self) -> None:
        # As for a number that the system knows no user of.
        self.patch(os.path, "expanduser", lambda path: path)
        self.of(XDG_STATE_HOME="")
        file = ProgressFile.of_user()
        self.assertEqual(file.read(), Progress())
        with self.assertRaises(OSError) as caught:
            file.change(lambda found: replace(found, folder="/a"))
        self.assertEqual(caught.exception.strerror, "there is no home folder")
