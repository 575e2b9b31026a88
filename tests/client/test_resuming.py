"""Files of records that are cut, mixed up, in use, or of another list."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.errors import BadJob, BadURL
from nbtwisted.client.job import Job
from nbtwisted.client.result import Result
from nbtwisted.client.results.answers import mark_as_written
from nbtwisted.client.results.output import jsonl
from nbtwisted.client.results.records import CannotResume
from nbtwisted.client.results.resuming import ResumedFile
from tests.client.results import attempt, lost, result

JOBS = (
    Job("http://10.0.0.1/0"),
    Job("http://10.0.0.1/1", "HEAD"),
    Job("http://10.0.0.1/2", "POST", body=b"two"),
    Job("http://10.0.0.1/3?\u00fc"),
)


def ended(position: int, status: int | None = 200, body: bytes = b"") -> Result:
    """How the request at this position of the list ended."""
    job = JOBS[position]
    if status is None:
        how = lost(url=job.url)
    else:
        how = result(attempt(url=job.url, status=status, body=body))
    how.job = job
    return how


def line(position: int, status: int | None = 200, body: bytes = b"") -> bytes:
    """Its record."""
    return jsonl(position, ended(position, status, body))


WHOLE = b"".join(line(position) for position in range(len(JOBS)))


class FileCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "out.jsonl"

    def resumed(
        self, content: bytes | None = None, output: str | None = None, **how: Any
    ) -> ResumedFile:
        if content is not None:
            self.path.write_bytes(content)
        file = ResumedFile(str(self.path), output, **how)
        self.addCleanup(file.close)
        return file

    def refused(self, content: bytes | None = None, path: Path | None = None) -> str:
        """What is said of a file, which stays as it is."""
        if content is not None:
            self.path.write_bytes(content)
        with self.assertRaises(CannotResume) as caught:
            ResumedFile(str(path or self.path))
        if content is not None:
            self.assertEqual(self.path.read_bytes(), content)
        said = str(caught.exception)
        beginning = f"cannot resume {path or self.path}: "
        self.assertTrue(said.startswith(beginning), said)
        return said.removeprefix(beginning)

    def left(self, file: ResumedFile) -> list[int]:
        """The positions that were not answered."""
        return [n for n, job in enumerate(JOBS) if not file.is_answered(n, job)]

    def go_on(self, file: ResumedFile) -> list[int]:
        """Do what is left, the last first."""
        left = self.left(file)
        for position in reversed(left):
            file.write(position, ended(position))
        file.expect_length(len(JOBS))
        file.put_in_order()
        return left


class GoingOnTests(FileCase):
    def test_a_file_that_is_not_there_is_begun(self) -> None:
        file = self.resumed()
        self.assertTrue(file.is_new)
        self.assertEqual(self.go_on(file), [0, 1, 2, 3])
        self.assertEqual(self.path.read_bytes(), WHOLE)
        self.assertEqual(os.listdir(self.folder), ["out.jsonl"])

    def test_what_failed_or_is_missing(self) -> None:
        content = line(2, 404) + line(0, None) + line(3)
        file = self.resumed(content)
        self.assertFalse(file.is_new)
        self.assertEqual(file.answered, 2)
        self.assertEqual(self.go_on(file), [0, 1])
        expected = line(0) + line(1) + line(2, 404) + line(3)
        self.assertEqual(self.path.read_bytes(), expected)

    def test_a_status_that_is_a_failure(self) -> None:
        content = line(0, 399) + line(1, 400)
        self.assertEqual(self.left(self.resumed(content, fail=True)), [1, 2, 3])

    def test_what_fails_again_has_one_record(self) -> None:
        file = self.resumed(line(1, None, b"first"))
        file.write(1, ended(1, None))
        file.put_in_order()
        self.assertEqual(self.path.read_bytes(), line(1, None))

    def test_the_last_line_is_cut(self) -> None:
        for cut, left in [
            (line(1, body=b"x" * 999)[:-9], line(0)),
            (line(1)[:-2], line(0)),
            # There is nothing missing but the line's end.
            (line(1)[:-1], line(0) + line(1)),
        ]:
            self.resumed(line(0) + cut).put_in_order()
            self.assertEqual(self.path.read_bytes(), left)
            os.unlink(self.path)

    def test_an_entry_that_was_mended(self) -> None:
        bad = BadJob("no", shown="{"), BadURL("no")
        records = jsonl(0, Result("{", error=bad[0]))
        records += jsonl(1, Result("htp://x", error=bad[1], job=Job("htp://x")))
        self.go_on(self.resumed(records + line(2) + line(3)))
        self.assertEqual(self.path.read_bytes(), WHOLE)

    def test_a_record_is_there_at_once(self) -> None:
        file = self.resumed(line(0))
        file.write(3, ended(3))
        self.assertEqual(self.path.read_bytes(), line(0) + line(3))

    def test_what_is_in_order_is_not_written_again(self) -> None:
        file = self.resumed(WHOLE)
        before = os.stat(self.path).st_ino
        self.assertEqual(self.go_on(file), [])
        self.assertEqual(os.stat(self.path).st_ino, before)

    def test_records_of_requests_as_they_were_typed(self) -> None:
        jobs: list[Job | BadJob] = [
            Job("10.0.0.1/a"),
            Job("HTTP://user:password@10.0.0.1/a"),
            Job("http://a b/"),
            BadJob("no", shown="{"),
        ]
        file = self.resumed()
        urls = ["http://10.0.0.1/a"] * 2 + ["http://a b/", "{"]
        for position, (url, job) in enumerate(zip(urls, jobs, strict=True)):
            readable = None if isinstance(job, BadJob) else job
            error = None if position < 2 else BadURL("no")
            how = Result(url, (attempt(url=url),), error=error, job=readable)
            how.ended_at = 1.0
            file.write(position, how)
        found = [file.is_answered(position, job) for position, job in enumerate(jobs)]
        self.assertEqual(found, [True, True, False, False])

    @given(
        st.permutations(range(len(JOBS))),
        st.lists(
            st.tuples(st.integers(0, 3), st.sampled_from((None, 200))), max_size=3
        ),
        st.data(),
    )
    def test_cut_anywhere(
        self,
        order: list[int],
        before: list[tuple[int, int | None]],
        data: st.DataObject,
    ) -> None:
        records = [line(*each) for each in before] + [line(each) for each in order]
        content = b"".join(records)
        size = data.draw(st.integers(0, len(content)))
        # All that was answered there, whole; the line's end may be missing.
        there, end = set(), 0
        for record in records:
            end += len(record)
            if end - 1 <= size and json.loads(record)["error"] is None:
                there.add(json.loads(record)["index"])
        self.path.write_bytes(content[:size])
        for left in sorted(set(range(4)) - there), []:
            file = ResumedFile(str(self.path))
            self.assertEqual(self.go_on(file), left)
            file.close()
            self.assertEqual(self.path.read_bytes(), WHOLE)


class FilesTests(FileCase):
    def test_to_another_file(self) -> None:
        other = self.folder / "other.jsonl"
        other.write_text("something longer than what comes" * 999)
        content = line(1) + line(0)[:-9]
        self.go_on(self.resumed(content, str(other)))
        self.assertEqual(self.path.read_bytes(), content)
        self.assertEqual(other.read_bytes(), WHOLE)

    def test_to_another_file_where_there_is_none_yet(self) -> None:
        other = self.folder / "other.jsonl"
        self.go_on(self.resumed(output=str(other)))
        self.assertEqual(os.listdir(self.folder), ["other.jsonl"])
        self.assertEqual(other.read_bytes(), WHOLE)

    def test_mode_and_link_stay(self) -> None:
        real = self.folder / "real.jsonl"
        real.write_bytes(line(3))
        real.chmod(0o604)
        self.path.symlink_to("real.jsonl")
        self.go_on(self.resumed())
        self.assertEqual(os.readlink(self.path), "real.jsonl")
        self.assertEqual(real.read_bytes(), WHOLE)
        self.assertEqual(stat.S_IMODE(real.stat().st_mode), 0o604)

    def test_one_that_was_left_by_a_process_that_was_killed(self) -> None:
        (self.folder / ".out.jsonl.new").write_bytes(b"half")
        self.go_on(self.resumed(line(3)))
        self.assertEqual(self.path.read_bytes(), WHOLE)
        self.assertEqual(os.listdir(self.folder), ["out.jsonl"])

    def test_no_room_for_a_record(self) -> None:
        file = self.resumed(line(0))

        def pwrite(fileno: int, data: memoryview, at: int) -> int:
            if len(data) > 9:
                return write(fileno, data[: len(data) - 9], at)
            raise OSError(28, "No space left on device")

        write = os.pwrite
        self.patch(os, "pwrite", pwrite)
        with self.assertRaises(OSError) as caught:
            file.write(1, ended(1))
        self.assertEqual(caught.exception.filename, str(self.path))
        self.assertEqual(self.path.read_bytes(), line(0))

    def test_no_room_to_put_it_in_order(self) -> None:
        file = self.resumed(line(3) + line(0))
        self.patch(os, "replace", lambda *_: os.mkdir(self.folder))
        with self.assertRaises(OSError) as caught:
            file.put_in_order()
        self.assertEqual(caught.exception.filename, str(self.path))
        self.assertEqual(self.path.read_bytes(), line(3) + line(0))
        self.assertEqual(os.listdir(self.folder), ["out.jsonl"])

    def test_a_folder_that_cannot_be_written(self) -> None:
        self.patch(os, "unlink", lambda path: os.mkdir(self.folder))
        self.path.write_bytes(line(0) + b"{")
        with self.assertRaises(OSError):
            ResumedFile(str(self.path))
        self.assertEqual(self.path.read_bytes(), line(0) + b"{")


class RefusedTests(FileCase):
    def test_lines_that_are_no_records(self) -> None:
        for content, number in [
            (b"\n", 1),
            (line(0) + b"\n" + line(1), 2),
            (line(0) + b"{}\n", 2),
            (line(0)[:90] + b"\n" + line(1), 1),
            (line(0) + line(1)[:90] + line(2), 2),
            (b"http://10.0.0.1/", 1),
            (b"index,url\r\n", 1),
            (b'{"index": -1, "url": "x", "error": {}}', 1),
        ]:
            self.assertEqual(
                self.refused(content),
                f"line {number}: expected a record of 'nbtwisted get --format jsonl'",
            )

    def test_two_requests_at_one_position(self) -> None:
        said = self.refused(line(0) + line(1).replace(b'"index": 1', b'"index": 0'))
        self.assertEqual(
            said,
            "line 2 is of HEAD http://10.0.0.1/1 at index 0, where line 1 is of "
            "GET http://10.0.0.1/0: expected the records of one list",
        )

    def test_another_list(self) -> None:
        file = self.resumed(line(1) + line(2, None) + line(0))
        others: list[tuple[Job | BadJob, str]] = [
            (Job("http://10.0.0.1/x"), "GET http://10.0.0.1/x"),
            (Job(JOBS[0].url, "PUT"), "PUT http://10.0.0.1/0"),
            (Job("a b"), "GET a b"),
            (BadJob("no", shown="{"), "GET {"),
        ]
        for job, of in others:
            with self.assertRaises(CannotResume) as caught:
                file.is_answered(0, job)
            self.assertEqual(
                str(caught.exception),
                f"cannot resume {self.path}: line 3 is of GET http://10.0.0.1/0 at "
                f"index 0, where the list has {of}: expected the list that it was "
                "made with",
            )
        with self.assertRaises(CannotResume) as caught:
            file.is_answered(2, Job(JOBS[2].url, "POST", body=b"other"))
        said = str(caught.exception)
        self.assertIn("line 2 is of POST http://10.0.0.1/2 with a body of SHA-", said)

    def test_a_shorter_list(self) -> None:
        file = self.resumed(line(3) + line(0))
        file.expect_length(4)
        with self.assertRaises(CannotResume) as caught:
            file.expect_length(1)
        self.assertIn(
            "line 1 is of GET http://10.0.0.1/3?ü at index 3, where the list has "
            "1 request: expected",
            str(caught.exception),
        )

    def test_what_is_no_file(self) -> None:
        os.mkfifo(self.path)
        expected = "expected a file, and no pipe or device"
        self.assertEqual(self.refused(), expected)
        self.assertEqual(self.refused(path=Path("/dev/null")), expected)
        self.assertEqual(self.refused(path=self.folder), "Is a directory")
        with self.assertRaises(CannotResume) as caught:
            ResumedFile(str(self.folder), str(self.folder / "other"))
        self.assertIn("Is a directory", str(caught.exception))
        self.assertEqual(self.refused(path=Path("/no/x")), "No such file or directory")

    def test_one_that_is_being_written(self) -> None:
        being_written = "it is being written by another process"
        with open(self.path, "wb") as writer:
            mark_as_written(writer.fileno())
            self.assertEqual(self.refused(), being_written)
        file = self.resumed()
        self.assertEqual(self.refused(), being_written)
        with self.assertRaises(OSError) as caught:
            ResumedFile("/no/x", str(self.path))
        self.assertEqual(caught.exception.strerror, being_written)
        file.put_in_order()
        with open("/dev/null") as nothing:
            mark_as_written(nothing.fileno())

    def test_one_whose_writer_puts_another_in_its_place(self) -> None:
        first = self.resumed(line(1) + line(0))
        taken = []

        def flock(fileno: int, how: int) -> None:
            taken.append(fileno)
            if len(taken) == 1:
                first.put_in_order()

        self.patch(fcntl, "flock", flock)
        self.assertEqual(self.resumed().answered, 2)
        self.assertEqual(len(taken), 2)

    def test_where_there_are_no_locks(self) -> None:
        def flock(fileno: int, how: int) -> None:
            raise OSError(95, "Operation not supported")

        self.patch(fcntl, "flock", flock)
        self.assertEqual(self.go_on(self.resumed(line(0))), [1, 2, 3])
