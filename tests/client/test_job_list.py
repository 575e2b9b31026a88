"""Lists of URLs, from files and from pipes."""

from __future__ import annotations

import os
import tempfile

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.job import Job
from nbtwisted.client.many.job_list import Given, JobFile
from nbtwisted.client.target import LONGEST_URL
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


class FileTests(ClockCase):
    def lines(self, content: bytes, times: int = 1) -> list[str]:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            urls = JobFile(Readers(), file.name, times)
            found = []
            while (url := urls.take()) is not None:
                found.append(url.url)
            self.assertTrue(urls.is_over)
            urls.close()
            return found

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
            self.assertEqual(list(urls._lines), [Job("a"), Job("b")])
            self.assertEqual(next(urls.rest()), Job("a"))
            urls.close()

    def test_what_is_no_utf_8(self) -> None:
        self.assertEqual(self.lines(b"a\xff\nb\n"), ["a\udcff", "b"])

    def test_a_line_without_end(self) -> None:
        found = self.lines(b"x" * 2**20 + b"\nhttp://a/\n")
        self.assertEqual(len(found[0]), LONGEST_URL + 1)
        self.assertEqual(found[1:], ["http://a/"])

    @given(st.lists(st.from_regex("[!-~]{1,9}", fullmatch=True), max_size=9))
    def test_any_list(self, urls: list[str]) -> None:
        expected = [url for url in urls if not url.startswith("#")]
        self.assertEqual(self.lines("\n".join(urls).encode()), expected)

    def test_a_file_that_cannot_be_read_on(self) -> None:
        urls = JobFile(Readers(), "/")
        self.assertIsNone(urls.take())
        self.assertTrue(urls.is_over)
        self.assertIsInstance(urls.error, IsADirectoryError)

    def test_not_there(self) -> None:
        with self.assertRaises(OSError):
            JobFile(Readers(), "/nowhere")


class PipeTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        reading, self.writing = os.pipe()
        self.addCleanup(os.close, self.writing)
        self.reactor = Readers()
        self.urls = JobFile(self.reactor, f"/dev/fd/{reading}")
        os.close(reading)
        self.addCleanup(self.urls.close)

    def write(self, data: bytes) -> None:
        os.write(self.writing, data)
        for reader in list(self.reactor.reading):
            reader.doRead()

    def test_waits_for_a_line_and_for_no_more(self) -> None:
        told: list[Job | None] = []
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
        with self.assertRaises(OSError):
            os.fstat(self.urls.fileno())
        self.assertIsNone(self.urls.take())
        self.assertTrue(self.urls.is_over)
        self.assertEqual(self.reactor.reading, [])
