"""What parts of a run write to a place, and the list of all that."""

from __future__ import annotations

import json
from hashlib import sha256
from unittest.mock import patch

from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.places import manifest as manifest_module
from nbtwisted.client.places import part_files
from nbtwisted.client.places.claim import claim
from nbtwisted.client.places.manifest import Manifest
from nbtwisted.client.places.part_files import (
    LARGEST,
    LONGEST,
    PartFiles,
    PlaceSpec,
    WrittenFile,
    listed,
)
from nbtwisted.client.places.places import PATIENCE, open_place
from nbtwisted.client.results.output import CSV_HEADER
from tests.client.places import ThreadClock, forget_memory, in_memory
from tests.guard import ClockCase

URL = "memory://a"
EMPTY = sha256(b"").hexdigest()


class PartFilesCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock: ThreadClock = ThreadClock()
        forget_memory()
        self.addCleanup(forget_memory)
        self.written: list[WrittenFile] = []
        self.failed: list[str] = []

    def spec(self, form: str = "jsonl", is_file_each: bool = False) -> PlaceSpec:
        return {
            "url": URL,
            "claim": claim(open_place(URL)),
            "form": form,
            "is_file_each": is_file_each,
        }

    def part(self, spec: PlaceSpec) -> PartFiles:
        opened = PartFiles.open(
            self.clock,
            spec,
            self.written.extend,
            lambda error: self.failed.append(f"{error.filename}: {error.strerror}"),
        )
        self.clock.end_thread()
        return self.successResultOf(opened)

    def list_written(self) -> dict[str, object]:
        """The manifest, of which all that it says of its files is true."""
        files = in_memory("a")
        found: dict[str, object] = json.loads(files.pop("manifest.json"))
        listed: list[WrittenFile] = found["files"]  # type: ignore[assignment]
        for each in listed:
            data = files[each["name"]]
            self.assertEqual(each["bytes"], len(data))
            self.assertEqual(each["sha256"], sha256(data).hexdigest())
        return found


def indices(files: list[WrittenFile]) -> list[int]:
    return list(listed(files))


class PartFilesTests(PartFilesCase):
    def test_a_file_of_many_is_in_order(self) -> None:
        part = self.part(self.spec())
        for index in (7, 2, 1, 3):
            part.write(index, f"{index}\n".encode())
        self.clock.advance(LONGEST - 0.1)
        self.assertEqual(self.written, [])
        self.clock.advance(0.1)
        self.clock.end_thread()
        (file,) = self.written
        self.assertEqual(file["records"], [[1, 3], [7, 7]])
        self.assertRegex(file["name"], r"^part-[0-9a-f]{8}-1\.jsonl$")
        self.assertEqual(in_memory("a")[file["name"]], b"1\n2\n3\n7\n")

    def test_a_large_one_does_not_wait_and_others_do(self) -> None:
        self.patch(part_files, "LARGEST", 10)
        part = self.part(self.spec())
        part.write(0, b"0123456789")
        self.clock.end_thread()
        part.write(1, b"1")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(indices(self.written), [0])
        part.abandon()

    def test_no_two_have_one_name(self) -> None:
        spec = self.spec()
        for part in (self.part(spec), self.part(spec)):
            for index in range(2):
                part.write(index, b"")
                part.flush()
                self.clock.end_thread()
        self.assertEqual(len({file["name"] for file in self.written}), 4)

    def test_a_file_for_each(self) -> None:
        part = self.part(self.spec("csv", is_file_each=True))
        part.write(5, b"five")
        part.write(3, b"three")
        part.flush()
        self.clock.end_thread()
        self.assertEqual([file["name"] for file in self.written], ["3.csv", "5.csv"])
        self.assertEqual(
            [file["records"] for file in self.written], [[[3, 3]], [[5, 5]]]
        )
        self.assertEqual(in_memory("a")["5.csv"], CSV_HEADER + b"five")

    def test_a_header_is_once_in_a_file(self) -> None:
        part = self.part(self.spec("csv"))
        part.write(5, b"five\n")
        part.write(3, b"three\n")
        part.flush()
        self.clock.end_thread()
        (file,) = self.written
        self.assertEqual(in_memory("a")[file["name"]], CSV_HEADER + b"three\nfive\n")

    def test_many_and_large_ones_do_not_wait(self) -> None:
        for is_file_each, most in (
            (True, part_files.MOST_FILES),
            (False, part_files.MOST),
        ):
            part = self.part(self.spec(is_file_each=is_file_each))
            for index in range(most):
                part.write(index, b"")
            self.clock.end_thread()
            self.assertEqual(indices(self.written), list(range(most)))
            self.written.clear()
            part.write(0, bytes(LARGEST))
            self.clock.end_thread()
            self.assertEqual(indices(self.written), [0])
            self.written.clear()

    def test_a_slow_place_is_full(self) -> None:
        part = self.part(self.spec())
        for index in range(3):
            self.assertFalse(part.is_full)
            part.write(index, b"")
            part.flush()
        self.assertTrue(part.is_full)
        self.clock.end_thread()
        self.assertFalse(part.is_full)
        self.clock.end_thread()
        self.clock.end_thread()
        self.assertEqual(indices(self.written), [0, 1, 2])

    def test_its_end_waits_for_what_is_written(self) -> None:
        part = self.part(self.spec())
        self.assertIsNone(self.successResultOf(part.close()))
        part.write(0, b"")
        part.flush()
        part.write(1, b"")
        closed = part.close()
        self.clock.end_thread()
        self.assertNoResult(closed)
        self.clock.end_thread()
        self.assertIsNone(self.successResultOf(closed))
        self.assertEqual(indices(self.written), [0, 1])

    def test_what_cannot_be_written_is_told_once(self) -> None:
        part = self.part(self.spec())
        with patch.object(
            MemoryFileSystem, "pipe_file", side_effect=OSError(28, "full")
        ):
            for index in range(2):
                part.write(index, b"")
                part.flush()
            part.write(2, b"")
            closed = part.close()
            self.clock.end_threads()
        self.assertIsNone(self.successResultOf(closed))
        part.write(3, b"")
        self.assertEqual(self.written, [])
        (why,) = self.failed
        self.assertRegex(why, r"^memory://a/part-[0-9a-f]{8}-1\.jsonl: full$")

    def test_what_is_abandoned_is_not_told(self) -> None:
        part = self.part(self.spec())
        part.write(0, b"")
        part.flush()
        part.write(1, b"")
        part.abandon()
        self.clock.end_threads()
        self.assertEqual(self.written, [])

    def test_a_place_that_hangs(self) -> None:
        part = self.part(self.spec())
        part.write(0, b"")
        part.flush()
        self.clock.advance(PATIENCE)
        self.assertEqual(self.failed, ["memory://a: it takes longer than 60 s"])
        self.clock.end_threads()
        self.assertEqual(self.written, [])

    def test_a_place_that_is_refused(self) -> None:
        spec = self.spec()
        opened = PartFiles.open(
            self.clock, {**spec, "url": "memory://b"}, self.written.extend, self.fail
        )
        self.clock.end_thread()
        failure = self.failureResultOf(opened, OSError)
        self.assertIn("expected a place that all of them share", str(failure.value))


class ManifestTests(PartFilesCase):
    def manifest(self, is_file_each: bool = False) -> Manifest:
        begun = Manifest.begin(self.clock, URL, "jsonl", is_file_each=is_file_each)
        self.clock.end_thread()
        return self.successResultOf(begun)

    def test_it_is_written_last(self) -> None:
        manifest = self.manifest()
        manifest.add(
            {"name": name, "bytes": 0, "sha256": EMPTY, "records": [[first, first + 9]]}
            for name, first in (("x", 0), ("y", 20))
        )
        open_place(URL).put({"x": b"", "y": b""})
        written = manifest.write(is_complete=True)
        self.clock.end_thread()
        self.assertIsNone(self.successResultOf(written))
        found = self.list_written()
        self.assertEqual(found["number"], 20)
        self.assertEqual(found["version"], 1)
        self.assertEqual(found["format"], "jsonl")
        self.assertIs(found["is_complete"], True)
        # And nothing else is left.
        self.assertEqual(set(in_memory("a")), {"x", "y", "manifest.json"})

    def test_what_it_has_itself(self) -> None:
        manifest = self.manifest()
        manifest.put(3, b"three\n")
        written = manifest.write(is_complete=True)
        self.clock.end_threads()
        self.assertIsNone(self.successResultOf(written))
        self.assertEqual(indices(self.list_written()["files"]), [3])  # type: ignore[arg-type]

    def test_it_cannot_write_that(self) -> None:
        manifest = self.manifest()
        manifest.put(3, b"three\n")
        error = OSError(28, "full")
        with patch.object(MemoryFileSystem, "pipe_file", side_effect=error):
            written = manifest.write(is_complete=True)
            self.clock.end_threads()
        failure = self.failureResultOf(written, OSError)
        self.assertIn("full", str(failure.value))
        self.assertNotIn("manifest.json", in_memory("a"))
        manifest.abandon()
        self.clock.end_threads()

    def test_no_room_for_what_it_keeps(self) -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            self.patch(manifest_module, "TemporaryFile", lambda: full)
            manifest = self.manifest()
            file: WrittenFile = {"name": "x", "bytes": 0, "sha256": "", "records": []}
            manifest.add([file, file])
            written = manifest.write(is_complete=True)
            self.clock.end_threads()
        self.assertIn("No space left", str(self.failureResultOf(written, OSError)))
        self.assertEqual(in_memory("a"), {})

    def test_of_nothing(self) -> None:
        manifest = self.manifest()
        written = manifest.write(is_complete=False)
        self.clock.end_thread()
        self.assertIsNone(self.successResultOf(written))
        found = self.list_written()
        self.assertEqual((found["number"], found["files"]), (0, []))
        self.assertIs(found["is_complete"], False)

    def test_where_one_is(self) -> None:
        open_place(URL).put({"manifest.json": b"{}"})
        begun = Manifest.begin(self.clock, URL, "jsonl", is_file_each=False)
        self.clock.end_thread()
        failure = self.failureResultOf(begun, OSError)
        self.assertIn("expected a folder without one", str(failure.value))

    def test_a_run_that_sent_nothing_leaves_nothing(self) -> None:
        abandoned = self.manifest().abandon()
        self.clock.end_thread()
        self.assertIsNone(self.successResultOf(abandoned))
        self.assertEqual(in_memory("a"), {})
        abandoned = self.manifest().abandon()
        self.clock.advance(PATIENCE)
        self.assertIsNone(self.successResultOf(abandoned))
        self.clock.end_threads()

    @given(
        st.booleans(),
        st.integers(0, 12),
        st.lists(
            st.tuples(st.sampled_from(["answer", "flush", "lose"]), st.integers(0, 2))
        ),
    )
    def test_each_answer_is_in_one_file_whatever_is_lost(
        self, is_file_each: bool, number: int, steps: list[tuple[str, int]]
    ) -> None:
        """Parts take jobs and are lost; what they had not delivered, others do."""
        forget_memory()
        self.clock = ThreadClock()
        manifest = self.manifest(is_file_each=is_file_each)
        to_do = list(range(number))

        class Worker:
            def __init__(worker) -> None:
                worker.is_lost = False
                worker.has: set[int] = set()

                def deliver(files: list[WrittenFile]) -> None:
                    # What a lost one says is not heard.
                    if not worker.is_lost:
                        manifest.add(files)
                        worker.has -= set(indices(files))

                opened = PartFiles.open(self.clock, manifest.spec, deliver, self.fail)
                self.clock.end_threads()
                worker.part = self.successResultOf(opened)

            def answer(worker) -> None:
                if to_do:
                    index = to_do.pop(0)
                    worker.has.add(index)
                    worker.part.write(index, b"%d" % index)

            def lose(worker) -> None:
                worker.is_lost = True
                to_do.extend(worker.has)

        workers = [Worker() for _ in range(3)]
        lost = []
        for step, place in steps:
            worker = workers[place]
            if step == "answer":
                worker.answer()
            elif step == "flush":
                worker.part.flush()
            else:
                worker.lose()
                lost.append(worker)
                workers[place] = Worker()
        while to_do:
            workers[0].answer()
        closed = [worker.part.close() for worker in workers + lost]
        self.clock.end_threads()
        for each in closed:
            self.assertIsNone(self.successResultOf(each))
        written = manifest.write(is_complete=True)
        self.clock.end_threads()
        self.assertIsNone(self.successResultOf(written))
        found = self.list_written()
        self.assertEqual(found["number"], number)
        self.assertEqual(sorted(indices(found["files"])), list(range(number)))  # type: ignore[arg-type]
