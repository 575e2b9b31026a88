"""Lists of URLs, from files and from pipes."""

from __future__ import annotations

import os
import select
import tempfile
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job, JobTemplate
from nbtwisted.client.many import job_list
from nbtwisted.client.many.job_list import Given, JobFile, UnreadableList, read_jobs
from nbtwisted.client.target import LONGEST_URL
from tests.client.state_table import moves_in, named
from tests.guard import ClockCase


class GivenTests(ClockCase):
    def test_one_after_another(self) -> None:
        urls = Given(["a", Job("b", "PUT")])
        self.assertEqual((urls.take(), urls.is_over), (Job("a"), False))
        self.assertEqual((urls.take(), urls.is_over), (Job("b", "PUT"), False))
        self.assertEqual((urls.take(), urls.is_over), (None, True))

    def test_the_rest(self) -> None:
        urls = Given(["a", "b", "c"])
        self.assertFalse(urls.is_over)
        urls.take()
        self.assertEqual([*urls.rest()], [Job("b"), Job("c")])


class Readers:
    """The part of a reactor that is asked for here."""

    def __init__(self) -> None:
        self.reading: list[JobFile] = []

    def addReader(self, reader: JobFile) -> None:
        self.reading.append(reader)

    def removeReader(self, reader: JobFile) -> None:
        self.reading.remove(reader)


class ListCase(ClockCase):
    def jobs(
        self, content: bytes, times: int = 1, template: JobTemplate | None = None
    ) -> list[Job | BadJob]:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            jobs = JobFile(Readers(), file.name, times, template)
            found = []
            while (job := jobs.take()) is not None:
                self.assertFalse(jobs.error)
                found.append(job)
            self.assertTrue(jobs.is_over)
            self.assertIsNone(jobs.error)
            jobs.close()
            return found

    def lines(self, content: bytes, times: int = 1) -> list[str]:
        found = []
        for job in self.jobs(content, times):
            assert isinstance(job, Job)
            found.append(job.url)
        return found


class FileTests(ListCase):
    def test_what_is_passed_over(self) -> None:
        content = b"\xef\xbb\xbfhttp://a/\r\n\n  \n# no\n  http://b/ \nhttp://c/"
        self.assertEqual(self.lines(content), ["http://a/", "http://b/", "http://c/"])
        self.assertEqual(self.lines(b""), [])

    def test_a_mark_of_byte_order_stands_at_the_beginning_only(self) -> None:
        mark = b"\xef\xbb\xbf"
        self.assertEqual(self.lines(b"a\n" + mark + b"b"), ["a", "\ufeffb"])

    def test_so_many_times_each(self) -> None:
        self.assertEqual(self.lines(b"a\nb\n", 2), ["a", "a", "b", "b"])

    def test_however_many_times_it_takes_no_room(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"a\nb\n")
            file.flush()
            urls = JobFile(Readers(), file.name, 10**9)
            urls.take()
            self.assertEqual(len(urls._lines), 1)
            self.assertEqual(next(urls.rest()), Job("a"))
            urls.close()

    def test_what_is_no_utf_8(self) -> None:
        self.assertEqual(self.lines(b"a\xff\nb\n"), ["a\udcff", "b"])

    def test_a_line_without_end(self) -> None:
        found = self.lines(b"x" * 2**20 + b"\nhttp://a/\n")
        self.assertEqual(len(found[0]), LONGEST_URL + 1)
        self.assertEqual(found[1:], ["http://a/"])

    @given(st.lists(st.from_regex("[!-z~][!-~]{0,8}", fullmatch=True), max_size=9))
    def test_any_list(self, urls: list[str]) -> None:
        expected = [url for url in urls if not url.startswith("#")]
        self.assertEqual(self.lines("\n".join(urls).encode()), expected)

    def test_what_cannot_be_opened(self) -> None:
        for path, why in (
            ("/nowhere", "No such file or directory"),
            ("/", "Is a directory"),
        ):
            with self.assertRaises(UnreadableList) as caught:
                JobFile(Readers(), path)
            self.assertEqual(str(caught.exception), why)

    def test_a_file_that_cannot_be_read_on(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            jobs = JobFile(Readers(), file.name)
            jobs._file.close()
            # As where a disk fails.
            jobs._file = open("/proc/self/mem", "rb", buffering=0)  # noqa: SIM115
            self.assertIsNone(jobs.take())
            self.assertTrue(jobs.is_over)
            self.assertEqual(str(jobs.error), "Input/output error")

    def test_lines_of_all_kinds(self) -> None:
        content = (
            b'\xef\xbb\xbf {"url": "http://a/", "body": "x"}\n'
            b"http://b/\n"
            b'{"url": "http://c/", "x": 1}\n'
            b'{"log": {"entries": []}}\n'
        )
        found = self.jobs(content, 2)
        self.assertEqual(found[:2], [Job("http://a/", "POST", body=b"x")] * 2)
        self.assertEqual(found[2:4], [Job("http://b/")] * 2)
        self.assertEqual(
            [str(job)[:6] for job in found[4:]], ["line 3"] * 2 + ["line 4"] * 2
        )

    def test_made_of_a_template(self) -> None:
        jobs = self.jobs(b"http://a/", template=JobTemplate("PUT"))
        self.assertEqual(jobs, [Job("http://a/", "PUT")])


HAR = b'{"log": {"entries": [%b]}}'
ENTRY = b'{"request": {"method": "GET", "url": "http://%b/"}}'
ABC = HAR % b", ".join(ENTRY % name for name in (b"a", b"b", b"c"))


class ArchiveTests(ListCase):
    def test_each_so_many_times(self) -> None:
        self.assertEqual(self.lines(ABC, 2), [f"http://{x}/" for x in "aabbcc"])
        self.assertEqual(self.lines(b"\n \xef\xbb\xbf" + ABC)[0][:4], '\ufeff{"l')
        self.assertEqual(len(self.lines(b"\xef\xbb\xbf\n " + ABC)), 3)

    def test_the_rest_is_there_until_it_is_closed(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(ABC)
            file.flush()
            for is_closed in (False, True):
                jobs = JobFile(Readers(), file.name)
                self.assertEqual(jobs.take(), Job("http://a/"))
                self.assertFalse(jobs.is_over)
                if is_closed:
                    jobs.close()
                rest = [] if is_closed else [Job("http://b/"), Job("http://c/")]
                self.assertEqual(list(jobs.rest()), rest)
                self.assertTrue(jobs.is_over)

    def test_one_that_breaks_off(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(ABC[:-20])
            file.flush()
            jobs = JobFile(Readers(), file.name)
            self.assertEqual(jobs.take(), Job("http://a/"))
            self.assertEqual(jobs.take(), Job("http://b/"))
            self.assertIsNone(jobs.take())
            self.assertTrue(jobs.is_over)
            self.assertEqual(
                str(jobs.error), "it is cut short: it ends before its JSON does"
            )

    def test_one_without_entries(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b'{"log": {}}')
            file.flush()
            with self.assertRaises(UnreadableList) as caught:
                list(read_jobs(file.name))
            self.assertEqual(str(caught.exception), "there is no 'entries' in it")

    def test_places(self) -> None:
        of_lines = b"# a comment\n\nhttp://a/\n\n{}\nhttp://b/"
        without_b = ABC.replace(b"http://b/", b"data:,b")
        for content, places in (
            (of_lines, ["line 3", "line 5", "line 6"]),
            (without_b, ["entry 1", "entry 3"]),
        ):
            with tempfile.NamedTemporaryFile() as file:
                file.write(content)
                file.flush()
                found = list(read_jobs(file.name))
            self.assertEqual([place for place, _ in found], places)


class PipeCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        reading, self.writing = os.pipe()
        self.is_open = True
        self.addCleanup(self.end)
        self.reactor = Readers()
        self.urls = JobFile(self.reactor, f"/dev/fd/{reading}")
        os.close(reading)
        self.addCleanup(self.urls.close)

    def read(self) -> None:
        for reader in list(self.reactor.reading):
            reader.doRead()

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), 60_000):
            os.write(self.writing, data[start : start + 60_000])
            self.read()

    def end(self) -> None:
        if self.is_open:
            self.is_open = False
            os.close(self.writing)
            self.read()


class PipeTests(PipeCase):
    def test_waits_for_a_line_and_for_no_more(self) -> None:
        told: list[Job | BadJob | None] = []
        self.urls.on_more = lambda: told.append(self.urls.take())
        self.assertIsNone(self.urls.take())
        self.assertFalse(self.urls.is_over)
        self.write(b"http://")
        self.write(b"a/\n")
        self.write(b"b\nc\n")
        self.assertEqual(told, [None, Job("http://a/"), Job("b")])
        self.assertFalse(self.urls.is_over)
        self.assertEqual(list(self.urls.rest()), [Job("c")])

    def test_reads_no_faster_than_it_is_taken(self) -> None:
        self.assertIsNone(self.urls.take())
        self.write(b"a\n" * 5000)
        # There is enough for now: nobody waits for the pipe.
        self.assertEqual(self.reactor.reading, [])
        for _ in range(5000):
            self.assertEqual(self.urls.take(), Job("a"))
        self.assertIsNone(self.urls.take())
        self.assertEqual(self.reactor.reading, [self.urls])
        self.write(b"z\n")
        self.assertEqual(self.urls.take(), Job("z"))

    def test_the_last_line_needs_no_end(self) -> None:
        self.assertIsNone(self.urls.take())
        self.write(b"a\nb")
        told: list[bool] = []
        self.urls.on_more = lambda: told.append(self.urls.is_over)
        self.urls.connectionLost(None)
        self.assertEqual(told, [False])
        self.assertEqual(
            [self.urls.take() for _ in range(3)], [Job("a"), Job("b"), None]
        )
        self.assertTrue(self.urls.is_over)

    def test_nothing_there_after_all(self) -> None:
        self.assertIsNone(self.urls.take())
        # As when somebody else reads from the same pipe, and was faster.
        os.set_blocking(self.urls.fileno(), False)
        self.urls.doRead()
        self.assertIsNone(self.urls.take())
        self.write(b"a\n")
        self.assertEqual(self.urls.take(), Job("a"))

    def test_closed_while_it_reads(self) -> None:
        self.assertIsNone(self.urls.take())
        self.urls.close()
        self.urls.connectionLost(None)
        with self.assertRaises(OSError):
            os.fstat(self.urls.fileno())
        self.assertIsNone(self.urls.take())
        self.assertTrue(self.urls.is_over)
        self.assertEqual(self.reactor.reading, [])

    def test_reads_no_more_bytes_than_will_do(self) -> None:
        self.assertIsNone(self.urls.take())
        line = b'{"url": "http://a/", "body": "%b"}\n' % (b"x" * 300_000)
        for _ in range(3):
            self.write(line)
        self.assertEqual(self.reactor.reading, [self.urls])
        self.write(line)
        self.assertEqual(self.reactor.reading, [])
        for _ in range(4):
            self.assertIsInstance(self.urls.take(), Job)
        self.assertIsNone(self.urls.take())
        self.assertEqual((self.reactor.reading, self.urls._size), ([self.urls], 0))

    def test_what_may_be_an_archive_yet_is_waited_for(self) -> None:
        self.assertIsNone(self.urls.take())
        self.write(b"\xef\xbb")
        self.write(b"\xbf {")
        self.assertIsNone(self.urls.take())
        self.write(b"\n")
        self.write(b'"url": "http://a/"}\n')
        self.assertEqual(str(self.urls.take())[:6], "line 1")

    def test_what_might_have_been_one(self) -> None:
        self.assertIsNone(self.urls.take())
        self.write(b"\xef\xbb\xbf {")
        self.end()
        self.assertEqual(str(self.urls.take())[:6], "line 1")
        self.assertTrue(self.urls.is_over)


class ArchiveInPipeTests(PipeCase):
    def test_it_is_read_when_all_of_it_has_come(self) -> None:
        told: list[Job | BadJob | None] = []
        self.urls.on_more = lambda: told.append(self.urls.take())
        self.assertIsNone(self.urls.take())
        for start in range(0, len(ABC), 7):
            self.write(ABC[start : start + 7])
        self.assertEqual(set(told), {None})
        self.assertEqual(list(self.urls.rest()), [])
        self.assertFalse(self.urls.is_over)
        self.end()
        self.assertEqual(self.reactor.reading, [])
        self.assertEqual(told[-1], Job("http://a/"))
        self.assertEqual(list(self.urls.rest()), [Job("http://b/"), Job("http://c/")])
        self.assertTrue(self.urls.is_over)

    def test_closed_while_it_comes(self) -> None:
        self.assertIsNone(self.urls.take())
        self.write(ABC)
        copy = self.urls._copy
        assert copy is not None
        self.urls.close()
        self.assertTrue(copy.closed)
        self.assertTrue(self.urls.is_over)
        self.assertEqual(self.reactor.reading, [])

    def test_where_there_is_no_room_for_the_copy(self) -> None:
        self.assertIsNone(self.urls.take())
        self.write(ABC[:9])
        assert self.urls._copy is not None
        self.urls._copy.close()
        self.urls._copy = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
        self.write(ABC[9:])
        self.assertIsNone(self.urls.take())
        self.assertTrue(self.urls.is_over)
        self.assertEqual(str(self.urls.error), "No space left on device")
        self.assertEqual(self.reactor.reading, [])


class WaitingTests(ClockCase):
    """Without a reactor."""

    def read(self, content: bytes, *, is_blocking: bool = True) -> list[Job | BadJob]:
        reading, writing = os.pipe()
        os.set_blocking(reading, is_blocking)
        self.addCleanup(os.close, reading)
        writer = threading.Thread(target=self.put, args=(writing, content))
        real_select = select.select

        def select_when_it_writes(*files: Any) -> Any:
            # Nothing is there before somebody waits for it.
            if not writer.ident:
                writer.start()
            return real_select(*files)

        self.patch(select, "select", select_when_it_writes)
        if is_blocking:
            writer.start()
        try:
            # On Linux this opens the pipe anew.
            stdin = os.dup(0)
            os.dup2(reading, 0)
            try:
                return [job for _, job in read_jobs("-")]
            finally:
                os.dup2(stdin, 0)
                os.close(stdin)
        finally:
            writer.join()

    def put(self, writing: int, content: bytes) -> None:
        with open(writing, "wb", buffering=0) as file:
            file.write(content)

    def test_from_stdin(self) -> None:
        for is_blocking in (True, False):
            for content in (b"http://a/\nhttp://b/\nhttp://c/", ABC):
                found = self.read(content, is_blocking=is_blocking)
                self.assertEqual(found, [Job(f"http://{name}/") for name in "abc"])


class TableTests(ClockCase):
    def test_the_table_names_all_moves_and_no_other(self) -> None:
        moves = set()
        for cases in (FileTests, ArchiveTests, PipeTests, ArchiveInPipeTests):
            moves |= moves_in(cases, JobFile, "_state")
        self.assertEqual(sorted(moves), sorted(named(job_list._State)))


class AnyListTests(ClockCase):
    @given(st.binary(max_size=200) | st.sampled_from([ABC, ABC[:-9]]), st.data())
    def test_any_bytes_cut_anywhere(self, content: bytes, data: st.DataObject) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            whole = JobFile(Readers(), file.name)
            expected = list(taken(whole))
        cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=5))
        reading, writing = os.pipe()
        reactor = Readers()
        jobs = JobFile(reactor, f"/dev/fd/{reading}")
        os.close(reading)
        found = list(taken(jobs))
        edges = sorted({0, len(content), *cuts})
        for start, end in pairwise(edges):
            os.write(writing, content[start:end])
            for reader in list(reactor.reading):
                reader.doRead()
            found += taken(jobs)
        os.close(writing)
        for reader in list(reactor.reading):
            reader.doRead()
        found += taken(jobs)
        self.assertTrue(jobs.is_over)
        self.assertEqual(list(map(repr, found)), list(map(repr, expected)))
        self.assertEqual(str(jobs.error), str(whole.error))


def taken(jobs: JobFile) -> Iterator[Job | BadJob]:
    while (job := jobs.take()) is not None:
        yield job
