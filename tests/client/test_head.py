"""Heads that another llhttp would take, and fields that look like framing."""

from __future__ import annotations

from typing import Any, ClassVar

from httptools import HttpResponseParser

from nbtwisted.client.connection import head
from nbtwisted.client.connection.reader import Limits, ResponseReader
from nbtwisted.client.errors import MalformedResponse
from tests.guard import ClockCase


class _Other(HttpResponseParser):
    """Stands in for an llhttp that takes something else for what it is fed."""

    takes: ClassVar[tuple[bytes, bytes]]

    def feed_data(self, data: Any) -> None:
        super().feed_data(data.replace(*self.takes))


class HeadTests(ClockCase):
    def refused(self, takes: tuple[bytes, bytes], answer: bytes) -> None:
        self.patch(head, "HttpResponseParser", _Other)
        _Other.takes = takes
        with self.assertRaisesRegex(MalformedResponse, "without a blank line behind"):
            ResponseReader(Limits()).feed(answer)

    def test_one_that_ends_before_the_blank_line(self) -> None:
        # As older ones let it: what is behind would be taken for the body.
        self.refused((b"Bare: 1\r\n", b"\r\n"), b"HTTP/1.1 200 OK\r\nBare: 1\r\n\r\n")

    def test_one_that_does_not_end_with_it(self) -> None:
        takes = (b"Bare: 2\r\n\r", b"Bare: 2\r\nMore: 1\r")
        self.refused(takes, b"HTTP/1.1 200 OK\r\nBare: 2\r\n\r\n")

    def test_names_as_long_as_those_that_frame(self) -> None:
        reader = ResponseReader(Limits())
        lines = [b"HTTP/1.1 200 OK", b"Keep-Alive: close", b"Content-Length: 2"]
        lines += [b"Content-Lengte: 9", b"Transfer-Encodine: gzip", b"", b"ok"]
        self.assertTrue(reader.feed(b"\r\n".join(lines)))
        self.assertEqual((reader.body, reader.can_be_followed), (b"ok", True))
