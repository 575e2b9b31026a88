"""Requests out of bytes, fed whole, byte by byte, and cut anywhere."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

import h11
from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.server.http1.framing import (
    BadRequest,
    Head,
    RequestReader,
    check_length,
    parse_head,
)
from tests.guard import ClockCase

Read = list[tuple[Head, bytes]]


def read(pieces: Iterable[bytes]) -> tuple[Read, int]:
    """The requests that arrive in these pieces, and the status of a refusal or 0."""
    reader = RequestReader()
    found: Read = []
    head: Head | None = None
    try:
        for piece in pieces:
            reader.feed(piece)
            while True:
                if head is None:
                    raw = reader.next_head()
                    if raw is None:
                        break
                    head = parse_head(raw)
                    check_length(head)
                body = reader.next_body(head)
                if body is None:
                    if reader.has_stopped:
                        continue
                    break
                found.append((head, body))
                head = None
    except BadRequest as bad:
        return found, bad.status
    return found, 0


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def cut_everywhere(data: bytes) -> Iterable[list[bytes]]:
    return ([data[:i], data[i:]] for i in range(1, len(data)))


START = b"POST /post HTTP/1.1\r\nHost: t\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"

BEYOND_H11 = {
    START + b"Content-Length: " + b"0" * 5000 + b"1\r\n\r\na": b"a",
    b"\r\n\r\nGET / HTTP/1.1\r\nHost:t\r\n\r\n": b"",
    # RFC 9112, 7.1.1: white space where an extension begins, and around its "=".
    CHUNKED + b"1 ;a\r\nx\r\n0\t; b\r\n\r\n": b"x",
    CHUNKED + b'1\t ; a = "b;\\" c" ;d=e\r\nx\r\n0\r\n\r\n': b"x",
    # RFC 9110, 2.5: what HTTP/1.1 can read of a later HTTP/1, it does.
    b"GET / HTTP/1.2\r\nHost: t\r\n\r\n": b"",
    CHUNKED.replace(b"1.1", b"1.9") + b"1\r\nx\r\n0\r\n\r\n": b"x",
}
"""Requests that h11 refuses, or reads otherwise."""

GOOD = {
    b"GET / HTTP/1.1\r\nHost: t\r\n\r\n": b"",
    b"GET / HTTP/1.0\r\n\r\n": b"",
    b"M-SEARCH * HTTP/1.1\r\nHOST: \t t\t \r\nEmpty:\r\n\r\n": b"",
    START + b"Content-Length: 3\r\n\r\nabc": b"abc",
    START + b"Content-Length: 0\r\n\r\n": b"",
    # To be upgraded is nothing that a server has to want.
    START + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na": b"a",
    CHUNKED + b"3\r\nabc\r\n0\r\n\r\n": b"abc",
    CHUNKED + b"4\r\n\r\n\r\n\r\n1;a=b\r\nx\r\n0\r\nTrailer: t\r\n\r\n": b"\r\n\r\nx",
    CHUNKED + b"0\r\n\r\n": b"",
    CHUNKED + b"A\r\n0123456789\r\n000\r\n\r\n": b"0123456789",
    **BEYOND_H11,
}

BAD = [
    # Line, by line.
    b"GET / HTTP/1.1\nHost: t\n\n",
    b"GET  / HTTP/1.1\r\nHost: t\r\n\r\n",
    b"GET / HTTP/1.1 \r\nHost: t\r\n\r\n",
    b"GET /\r\n\r\n",
    b"G(T / HTTP/1.1\r\nHost: t\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: t\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: t\r\n\r\n",
    # What cannot become a line.
    b"{",
    b"\x16\x03\x01",
    b"\r\n{",
    b"\r\n\r\n\x80",
    # Headers.
    START + b"A : b\r\n\r\n",
    START + b" folded\r\n\r\n",
    START + b"A: b\r\n folded\r\n\r\n",
    START + b"A: b\nC: d\r\n\r\n",
    START + b"A: b\rC: d\r\n\r\n",
    START + b"A: \x00\r\n\r\n",
    START + b": b\r\n\r\n",
    START + b"no colon\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    START + b"Host: u\r\n\r\n",
    # What frames a message.
    START + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    START + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    START + b"Content-Length: 3, 3\r\n\r\nabc",
    START + b"Content-Length: +3\r\n\r\nabc",
    START + b"Content-Length: 0x3\r\n\r\nabc",
    START + b"Content-Length:\r\n\r\n",
    START + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
    START + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    START
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    # Chunks.
    CHUNKED + b"-1\r\n",
    CHUNKED + b"0x1\r\na\r\n",
    CHUNKED + b"g\r\n",
    CHUNKED + b"1\r\nab\r\n",
    CHUNKED + b"fffffffffffffffff\r\n",
    CHUNKED + b"1 \r\na\r\n0\r\n\r\n",
    CHUNKED + b"1;\r\na\r\n0\r\n\r\n",
    CHUNKED + b"1 a\r\na\r\n0\r\n\r\n",
    CHUNKED + b" 1\r\na\r\n0\r\n\r\n",
    CHUNKED + b"1;a=\r\na\r\n0\r\n\r\n",
    CHUNKED + b'1;a="b\r\na\r\n0\r\n\r\n',
    CHUNKED + b"1;a=b \r\na\r\n0\r\n\r\n",
    CHUNKED + b"1\na\r\n0\r\n\r\n",
    CHUNKED + b"1\r\r;a\r\n",
    CHUNKED + b"1\r\na0\r\n\r\n",
    CHUNKED + b"0\r\nA : b\r\n\r\n",
    CHUNKED + b"0\r\nA: b\nC: d\r\n\r\n",
    CHUNKED + b"\r\n",
    START + b"Transfer-Encoding:\r\n\r\n",
    START + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    START + b"Transfer-Encoding: chunked;a=b\r\n\r\n",
    START + b'Transfer-Encoding: "chunked"\r\n\r\n',
    START + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    START + b"Content-Length: \xb2\r\n\r\n",
    START + b"Content-Length: 1_0\r\n\r\n",
    b"GET / HTTP/1.10\r\nHost: t\r\n\r\n",
    b"GET / HTTP/1\r\nHost: t\r\n\r\n",
    b"GET / http/1.1\r\nHost: t\r\n\r\n",
    b"GET / HTTP/1.2\r\n\r\n",
]

UNABLE = {
    b"GET / HTTP/2.0\r\nHost: t\r\n\r\n": 505,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 505,
    b"GET / HTTP/0.9\r\n\r\n": 505,
    START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n": 501,
    START + b"Transfer-Encoding: chunked, gzip\r\n\r\n": 501,
    START + b"Transfer-Encoding: identity\r\n\r\n": 501,
    START + b"Transfer-Encoding: chunkedchunked\r\n\r\n": 501,
    START + b"Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\n": 501,
    b"POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n": 501,
    START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n": 501,
}
"""What is well-formed, and no server has to understand."""


class FramingTests(ClockCase):
    def test_requests(self) -> None:
        for data, body in GOOD.items():
            whole = read([data])
            ((_, found),), status = whole
            self.assertEqual((found, status), (body, 0), data)
            self.assertEqual(read(byte_by_byte(data)), whole, data)
            for cut in cut_everywhere(data + data):
                self.assertEqual(read(cut), (whole[0] * 2, 0), cut)

    def test_no_requests(self) -> None:
        for data, expected in [*((data, 400) for data in BAD), *UNABLE.items()]:
            self.assertEqual(read([data]), ([], expected), data)
            self.assertEqual(read(byte_by_byte(data)), ([], expected), data)
            for cut in cut_everywhere(data[:300]):
                self.assertEqual(read([*cut, data[300:]]), ([], expected), cut)
            # What comes first is not held up by what comes next.
            good = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
            for pieces in ([good + data], [good, data], byte_by_byte(good + data)):
                found, status = read(pieces)
                self.assertEqual((len(found), status), (1, expected), data)

    def test_bodies_in_pieces_are_the_same(self) -> None:
        trailing = CHUNKED + b"1\r\nx\r\n0\r\nA: b\r\nA:c \r\n\r\n"
        fields = ((b"A", b"b"), (b"A", b"c"))
        for data, body in {**GOOD, trailing: b"x"}.items():
            # Nothing of the request before shows in this one.
            for pieces in ([trailing + data], byte_by_byte(trailing + data)):
                reader, found, head = RequestReader(), [], None
                for piece in pieces:
                    reader.feed(piece)
                    while True:
                        if head is None:
                            raw = reader.next_head()
                            if raw is None:
                                break
                            head, taken = parse_head(raw), b""
                        more, is_last = reader.next_piece(head)
                        taken += more
                        if is_last:
                            found.append((taken, reader.trailers))
                            head = None
                        elif not reader.has_stopped:
                            break
                expected = fields if data is trailing else ()
                self.assertEqual(found[0], (b"x", fields), data)
                if b"Trailer: t" not in data:
                    self.assertEqual(found[1:], [(body, expected)], data)

    def test_a_later_version_is_answered_as_this_one(self) -> None:
        head = parse_head(b"GET / HTTP/1.2\r\nHost: t\r\n\r\n")
        self.assertEqual((head.version, head.is_persistent), (b"HTTP/1.1", True))

    def test_a_long_line_in_small_pieces_is_read_in_time(self) -> None:
        pieces = [CHUNKED + b"1;", *[b"x" * 10] * 6000, b"\r\nx\r\n0\r\n\r\n"]
        self.assertEqual([body for _, body in read(pieces)[0]], [b"x"])

    def test_nothing_is_kept_of_what_was_taken(self) -> None:
        filler = b"X: " + b"x" * 50_000 + b"\r\n"
        length = b"Content-Length: 100000\r\n\r\n"
        for data in (
            b"GET / HTTP/1.1\r\nHost: t\r\n" + filler + b"\r\n",
            START + length + b"x" * 100_000,
            CHUNKED + b"186a0\r\n" + b"x" * 100_000 + b"\r\n0\r\n\r\n",
        ):
            for pieces in ([data], [data[:60_000], data[60_000:]]):
                # The memo of heads may grow now, and does not while it is measured.
                for _ in range(2):
                    read(pieces)
                reader, raw, body = RequestReader(), None, None
                tracemalloc.start()
                self.addCleanup(tracemalloc.stop)
                for piece in pieces:
                    # A copy, of which nobody else knows.
                    reader.feed(bytes(memoryview(piece)))
                    raw = raw or reader.next_head()
                    body = reader.next_body(parse_head(raw)) if raw else None
                self.assertIsNotNone(body)
                del raw, body
                self.assertLess(tracemalloc.get_traced_memory()[0], 20_000)
                tracemalloc.stop()

    def test_what_h11_takes_too(self) -> None:
        for data, body in GOOD.items():
            if data in BEYOND_H11:
                continue
            connection = h11.Connection(h11.SERVER)
            connection.receive_data(data)
            found = b""
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                self.assertIsInstance(event, (h11.Request, h11.Data), data)
                found += event.data if isinstance(event, h11.Data) else b""
            self.assertEqual(found, body, data)

    def test_caps(self) -> None:
        for status, data in [
            (413, START + b"Content-Length: 1048577\r\n\r\n"),
            (414, b"GET /" + b"x" * 16384 + b" HTTP/1.1\r\nHost: t\r\n\r\n"),
            (414, b"GET /" + b"x" * 16385),
            (414, b"x" * 16385 + b"\r\nHost: t\r\n"),
            (431, START + b"A: " + b"x" * 65536),
            (431, CHUNKED + b"1;" + b"x" * 70_000 + b"\r\n"),
            (431, CHUNKED + b"1;" + b"x" * 70_000),
            (431, CHUNKED + b"0\r\n" + b"A: b\r\n" * 12_000),
            (431, CHUNKED + b"0\r\n" + b"A: b\r\n" * 1001 + b"\r\n"),
            (431, CHUNKED + b"0\r\n" + b"A: b\r\n" * 6000 + b"A: " + b"b" * 40_000),
            (413, CHUNKED + b"10000\r\n%b\r\n" % (b"x" * 65536) * 17),
        ]:
            pieces = [data[i : i + 1000] for i in range(0, len(data), 1000)]
            for cut in ([data], pieces):
                self.assertEqual(read(cut)[1], status, data[:100])

    def test_a_head_of_spaces_is_read_in_time(self) -> None:
        # A pattern that goes back over its steps would take minutes.
        head = START + b"A:" + b" " * 60_000 + b"\x00\r\n\r\n"
        self.assertEqual(read([head])[1], 400)

    def test_whether_the_connection_is_used_again(self) -> None:
        for version, field, expected in [
            (b"1.1", b"", True),
            (b"1.1", b"Connection: close\r\n", False),
            (b"1.1", b"Connection: TE, Close\r\n", False),
            (b"1.0", b"", False),
            (b"1.0", b"Connection: Keep-Alive\r\n", True),
            (b"1.0", b"Connection: keep-alive, close\r\n", False),
        ]:
            raw = b"GET / HTTP/%b\r\nHost: t\r\n%b\r\n" % (version, field)
            self.assertIs(parse_head(raw).is_persistent, expected, raw)

    def test_expectations(self) -> None:
        def head(fields: bytes) -> bytes:
            return START + fields + b"\r\n"

        self.assertFalse(parse_head(head(b"Content-Length: 1\r\n")).wants_continue)
        self.assertTrue(
            parse_head(
                head(b"Expect: 100-Continue\r\nContent-Length: 1\r\n")
            ).wants_continue
        )
        # There is nothing to go on with.
        self.assertFalse(parse_head(head(b"Expect: 100-continue\r\n")).wants_continue)
        self.assertEqual(read([head(b"Expect: tea\r\n")]), ([], 417))

    @given(
        st.lists(st.sampled_from([*GOOD]), min_size=1, max_size=6),
        st.lists(st.integers(1, 200)),
    )
    def test_cuts_do_not_matter(self, requests: list[bytes], sizes: list[int]) -> None:
        data = b"".join(requests)
        pieces = []
        at = 0
        for size in [*sizes, len(data)]:
            pieces.append(data[at : at + size])
            at += size
        self.assertEqual(read(pieces), read([data]))
        self.assertEqual(
            [body for _, body in read(pieces)[0]], [GOOD[r] for r in requests]
        )

    @given(st.binary(max_size=300))
    def test_anything_is_read_or_refused(self, data: bytes) -> None:
        self.assertIn(read([data])[1], (0, 400, 414, 417, 431, 413, 501, 505))
        self.assertIn(read([CHUNKED, data])[1], (0, 400, 413, 417, 431))
