"""Answers of which nothing is kept: fed whole, byte by byte, and cut anywhere."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.connection.parser import Limits, ResponseParser
from nbtwisted.client.errors import MalformedResponse, RequestError
from nbtwisted.load.response import REMEMBERED, Known, ResponseReader
from tests.guard import ClockCase

Found = tuple[int, int, bool] | str

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

WHOLE: dict[bytes, tuple[int, int, bool]] = {
    OK + b"Content-Length: 5\r\n\r\nhello": (200, 5, True),
    OK + b"Content-Length: 0\r\n\r\n": (200, 0, True),
    OK + b"Content-Length: 4\r\n\r\n\r\n\r\n": (200, 4, True),
    OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nab": (200, 2, False),
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab": (200, 2, False),
    b"HTTP/1.1 204 No\r\n\r\n": (204, 0, True),
    b"HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n": (304, 0, True),
    CHUNKED + b"5\r\nhello\r\n0\r\n\r\n": (200, 5, True),
    CHUNKED + b"2;a=b\r\n\r\n\r\n0\r\nA: b\r\n\r\n": (200, 2, True),
    b"HTTP/1.1 100 Go\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na": (200, 1, True),
    b"HTTP/1.1 103 X\r\nA: b\r\n\r\n" + CHUNKED + b"0\r\n\r\n": (200, 0, True),
}
UNTIL_THE_END: dict[bytes, Found] = {
    OK + b"\r\nab": (200, 2, False),
    b"": "EmptyResponse",
    b"HTTP/1.1 2": "ResponseCutShort",
    OK + b"Content-Length: 5\r\n\r\nhel": "ResponseCutShort",
    CHUNKED + b"5\r\nhello\r\n": "ResponseCutShort",
    b"HTTP/1.1 100 Go\r\n\r\n": "ResponseCutShort",
}
MALFORMED = [
    b"garbage\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    OK + b"Content-Length: x\r\n\r\n",
    OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    CHUNKED + b"x\r\n",
    b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    OK + b"A: " + b"x" * 400_000,
]


def read(pieces: Iterable[bytes], known: Known | None = None) -> Found:
    """What arrives in these pieces, and then the connection's end."""
    reader = ResponseReader(known or Known())
    try:
        for piece in filter(None, pieces):
            whole = reader.feed(piece)
            if whole is not None:
                break
        else:
            whole = reader.end()
    except RequestError as error:
        return type(error).__name__
    return whole.status, whole.size, whole.can_be_followed


def cuts(data: bytes) -> Iterable[list[bytes]]:
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]


class ResponseTests(ClockCase):
    def test_answers(self) -> None:
        for data, expected in {**WHOLE, **UNTIL_THE_END}.items():
            for cut in cuts(data):
                self.assertEqual(read(cut), expected, cut)

    def test_no_answers(self) -> None:
        for data in MALFORMED:
            pieces = [data[i : i + 1000] for i in range(0, len(data), 1000)]
            for cut in ([data], pieces):
                self.assertEqual(read(cut), "MalformedResponse", data[:80])

    def test_bytes_behind_the_end(self) -> None:
        # The answer is good, and nothing can follow it: as `get` has it.
        for data, (status, size, _) in WHOLE.items():
            for more in (b"x", b"\r\n", b"\0" * 70_000, data):
                known = Known()
                for _ in range(2):
                    self.assertEqual(
                        read([data + more], known), (status, size, False), data
                    )

    def test_limits_on_framing(self) -> None:
        """Whatever a server sends without an end, it is told to stop, and soon."""
        long = b"x" * 1000
        endless: dict[str, tuple[bytes, bytes]] = {
            "the head is larger": (OK, b"A: " + long + b"\r\n"),
            "the head is larger than": (OK + b"A: ", long),
            "the head is larger t": (b"HTTP/1.1 200 ", long),
            "more than 20 interim": (b"", b"HTTP/1.1 100 Go\r\n\r\n"),
            "more than 20 interim answers": (b"", b"HTTP/1.1 103 X\r\nA: b\r\n\r\n"),
            "more than 1000 header fields": (OK, b"A:b\r\n"),
            "the trailers are larger": (CHUNKED + b"0\r\n", b"A: " + long + b"\r\n"),
            "the trailers are larger than": (CHUNKED + b"0\r\nA: ", long),
            "a chunk's line is longer": (CHUNKED + b"1;a=", long),
            "a chunk's line is longer than": (CHUNKED + b"0;", long),
            "a chunk's size has more than 16": (CHUNKED, b"0" * 9),
            "more framing than data": (CHUNKED, b"1;" + long + b"\r\nx\r\n"),
        }
        for expected, (begin, more) in endless.items():
            for at_once in (1, 60):
                reader = ResponseReader(Known())
                self.assertIsNone(reader.feed(begin) if begin else None)
                sent = 0
                with self.assertRaises(MalformedResponse) as caught:
                    while sent < 1_000_000:
                        self.assertIsNone(reader.feed(more * at_once))
                        sent += len(more) * at_once
                self.assertIn(expected, str(caught.exception))
                self.assertLess(sent, 400_000, expected)

    def test_nothing_of_a_body_is_kept(self) -> None:
        piece = b"x" * 65536
        chunk = b"10000\r\n" + piece + b"\r\n"
        pieces = 400
        for begin, each, end in [
            (OK + b"\r\n", piece, b""),
            (OK + b"Content-Length: %d\r\n\r\n" % (65536 * pieces), piece, b""),
            (CHUNKED, chunk, b"0\r\n\r\n"),
            (CHUNKED[:-2] + b"A: " + b"y" * 100_000 + b"\r\n\r\n", chunk, b""),
        ]:
            reader = ResponseReader(Known())
            reader.feed(begin)
            reader.feed(each)
            tracemalloc.start()
            whole = None
            for _ in range(pieces - 1):
                whole = reader.feed(each)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(peak, 500_000)
            if end:
                whole = reader.feed(end)
            if whole is not None:
                self.assertEqual(whole.size, 65536 * pieces)

    def test_what_is_remembered_is_bounded_in_bytes(self) -> None:
        known = Known()
        tracemalloc.start()
        for number in range(30):
            head = OK + b"A: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % number
            for body in range(200):
                text = b"%05d" % body * 800
                read([head + b"fa0\r\n" + text + b"\r\n0\r\n\r\n"], known)
        current, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertLess(current, 4_000_000)

    def test_what_is_known_means_the_same(self) -> None:
        known = Known()
        for _ in range(3):
            for data, expected in {**WHOLE, **UNTIL_THE_END}.items():
                self.assertEqual(read([data], known), expected, data)
            for data in MALFORMED:
                self.assertEqual(read([data], known), "MalformedResponse", data[:80])
            for data in WHOLE:
                found = read([data + b"x"], known)
                self.assertEqual(found, (*WHOLE[data][:2], False), data)

    def test_another_body_behind_a_known_head(self) -> None:
        known = Known()
        head = OK + b"Content-Length: 3\r\n\r\n"
        self.assertEqual(read([head + b"abc"], known), (200, 3, True))
        self.assertEqual(read([head + b"xyz"], known), (200, 3, True))
        self.assertEqual(read([head + b"xy"], known), "ResponseCutShort")
        self.assertEqual(read([head, b"xyz"], known), (200, 3, True))
        self.assertEqual(
            read([CHUNKED + b"1\r\na\r\n0\r\n\r\n"], known), (200, 1, True)
        )
        self.assertEqual(
            read([CHUNKED + b"2\r\nab\r\n0\r\n\r\n"], known), (200, 2, True)
        )
        self.assertEqual(read([CHUNKED + b"2\r\na"], known), "ResponseCutShort")
        # As long as the answer is to be, and as far as its head.
        whole = OK + b"Content-Length: 37\r\n\r\n"
        self.assertEqual(len(whole) - 4, 35)
        self.assertEqual(read([whole + b"x" * 37], known), (200, 37, True))
        self.assertEqual(read([whole[:-3] + b""], known), "ResponseCutShort")

    def test_no_more_is_kept_than_may_be(self) -> None:
        known = Known()
        for number in range(3 * REMEMBERED):
            read([OK + b"A: %d\r\nContent-Length: 0\r\n\r\n" % number], known)
            read([CHUNKED + b"8\r\n%08d\r\n0\r\n\r\n" % number], known)
        heads = known._by_head
        bodies = [kept for kept in heads.values() if isinstance(kept, dict)]
        self.assertLessEqual(len(heads), REMEMBERED)
        self.assertLessEqual(max(map(len, bodies), default=0), REMEMBERED)

    @given(
        st.lists(st.sampled_from([*WHOLE]), min_size=1, max_size=5),
        st.lists(st.integers(1, 60)),
    )
    def test_one_after_another(self, answers: list[bytes], sizes: list[int]) -> None:
        known = Known()
        for data in answers:
            pieces = []
            at = 0
            for size in [*sizes, len(data)]:
                if data[at : at + size]:
                    pieces.append(data[at : at + size])
                at += size
            self.assertEqual(read(pieces, known), WHOLE[data])

    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=20),
                st.sampled_from([*WHOLE, *UNTIL_THE_END, *MALFORMED[:-1]]),
            ),
            max_size=4,
        ).map(b"".join),
        st.integers(1, 200),
    )
    def test_get_and_load_judge_alike(self, data: bytes, size: int) -> None:
        pieces = [data[i : i + size] for i in range(0, len(data), size)]
        parser = ResponseParser(Limits())
        as_get: Found
        try:
            ended_by_itself = any(parser.feed(piece) for piece in pieces)
            if not ended_by_itself:
                parser.end()
            assert parser.head is not None
            can_be_followed = ended_by_itself and parser.can_be_followed
            as_get = (parser.head.status, len(parser.body), can_be_followed)
        except RequestError as error:
            as_get = type(error).__name__
        self.assertEqual(read(pieces), as_get)

    @given(st.lists(st.binary(max_size=200)))
    def test_anything_is_read_or_refused(self, pieces: list[bytes]) -> None:
        self.assertIsNotNone(read(pieces))
        self.assertIsNotNone(read([CHUNKED, *pieces]))
