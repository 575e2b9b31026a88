"""The reader of responses, fed whole, byte by byte, and cut at every position."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass

import h11
from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.connection.head import parse_head
from nbtwisted.client.connection.reader import Limits, ResponseReader, read_at_once
from nbtwisted.client.errors import MalformedResponse, RequestError
from nbtwisted.client.result import Head
from nbtwisted.memo import Memo
from tests.guard import ClockCase


@dataclass
class Whole:
    head: Head
    body: bytes
    raw: bytes


@dataclass
class Failed:
    error: str
    phase: str
    text: str


def read(pieces: Iterable[bytes], limits: Limits | None = None) -> Whole | Failed:
    """What the reader makes of a connection on which `pieces` arrive, then its end."""
    reader = ResponseReader(limits or Limits())
    try:
        if not any(reader.feed(piece) for piece in pieces):
            reader.end()
    except RequestError as error:
        return Failed(type(error).__name__, error.phase, str(error))
    assert reader.head is not None
    assert isinstance(reader.body, bytes)
    assert isinstance(reader.raw, bytes)
    return Whole(reader.head, reader.body, reader.raw)


def read_whole(pieces: Iterable[bytes]) -> Whole:
    answer = read(pieces)
    assert isinstance(answer, Whole), answer
    return answer


def read_failure(pieces: Iterable[bytes]) -> Failed:
    answer = read(pieces)
    assert isinstance(answer, Failed), answer
    return answer


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = {
    "content-length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello",
    "content-length 0": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "blank lines in a body": b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"
    b"\r\n\r\n\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\n\r\n",
    "chunked, with blank lines and trailers": b"HTTP/1.1 200 OK\r\n"
    b"Transfer-Encoding: Chunked\r\n\r\n6\r\na\r\n\r\nb\r\n4\r\n\r\n\r\n\r\n"
    b"0\r\nTrailer: 1\r\n\r\n",
    "chunked, with white space in extensions": b"HTTP/1.1 200 OK\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
    b'2 ; a = "b ; c"\t;d\r\n\r\n\r\n1\t;a= b\r\nx\r\n0 ; b\r\nA: b\r\n\r\n',
    "chunked, with 16 digits": CHUNKED
    + b"0" * 15
    + b"1\r\nx\r\n"
    + b"0" * 16
    + b"\r\n\r\n",
    "chunked, empty": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
    b"Link: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "folded fields": OK + b"A: b\r\n c\r\n\td \r\n \r\n  \t e\r\nB:\r\n f\r\n"
    b"Content-Length:\r\n\t1\r\nC: \r\n \r\n\r\nx",
    "folded trailers": OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n1\r\nx\r\n0\r\n"
    b"A: b\r\n c\r\nB: d\r\n \r\n\r\n",
    "folded interim answer": b"HTTP/1.1 103 Hints\r\nLink: </x>;\r\n rel=y\r\n\r\n"
    + OK
    + b"A: b\r\n c\r\nContent-Length: 1\r\n\r\nx",
    "length with some zeros": OK + b"Content-Length: %b1\r\n\r\nx" % (b"0" * 18),
    "204": b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
    "no header at all, and no body": b"HTTP/1.1 204 \r\n\r\n",
    "empty value": b"HTTP/1.1 200 OK\r\nA:\r\nB: \r\nContent-Length: 1\r\n\r\nx",
    "blank lines before": b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    "strange status": b"HTTP/1.1 999 \xff\xfe\r\nContent-Length: 1\r\n\r\nx",
    "upgrade offered": b"HTTP/1.1 200 OK\r\nUpgrade: h2\r\nConnection: upgrade\r\n"
    b"Content-Length: 1\r\n\r\nx",
}
H11_TAKES_NONE_OF = (
    *("blank lines before", "strange status"),
    "chunked, with white space in extensions",
)
ENDING_WITH_THE_CONNECTION = {
    "no length": b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nall of\r\n\r\nthis",
    "no length and no body": b"HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
}
MALFORMED = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "garbage": b"\x00\x01\x02\x03garbage\r\n\r\n",
    "RTSP": b"RTSP/1.0 200 OK\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n\r\n",
    "small letters": b"http/1.1 200 OK\r\n\r\n",
    "status 2_00": b"HTTP/1.1 2_00 OK\r\n\r\n",
    "status +200": b"HTTP/1.1 +200 OK\r\n\r\n",
    "status 20": b"HTTP/1.1 20 OK\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 OK\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\n\r\n",
    "no space before the status": b"HTTP/1.1200 OK\r\n\r\n",
    "no space behind the status": b"HTTP/1.1 200OK\r\n\r\n",
    "space before everything": b" HTTP/1.1 200 OK\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nA: b\n\n",
    "bare LF in a value": OK + b"A: b\nC: d\r\n\r\n",
    "bare LF at the end of the head": OK + b"A: b\r\n\n",
    "bare CR": OK + b"A: b\rC: d\r\n\r\n",
    "bare CR in a name": OK + b"A\rB: c\r\n\r\n",
    "bare CR in the reason": b"HTTP/1.1 200 O\rK\r\n\r\n",
    "three CRs for a blank line": b"HTTP/1.1 200 OK\r\r\r\nhello",
    "three CRs, and a blank line": b"HTTP/1.1 200 OK\r\r\r\nA: b\r\n\r\n",
    "two CRs": OK + b"A: b\r\r\n\r\n",
    "NUL in a value": OK + b"A: b\0\r\n\r\n",
    "NUL in a name": OK + b"A\0: b\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 \0\r\n\r\n",
    "control byte in a value": OK + b"A: \x01\r\n\r\n",
    "control byte in a name": OK + b"A\x1b: b\r\n\r\n",
    "control byte in the reason": b"HTTP/1.1 200 \x1b[2J\r\n\r\n",
    "no name": OK + b": b\r\n\r\n",
    "no colon": OK + b"abc\r\n\r\n",
    "space before the colon": OK + b"A : b\r\n\r\n",
    "space before the colon of a length": OK + b"Content-Length : 1\r\n\r\nx",
    "space in a name": OK + b"A b: c\r\n\r\n",
    "space before the first name": OK + b" A: b\r\n\r\n",
    "folded status line": OK + b" c\r\nA: b\r\n\r\n",
    "folded name": OK + b"A\r\n B: c\r\n\r\n",
    "fold before a colon": OK + b"A\r\n : b\r\n\r\n",
    "fold without a field, behind an interim answer": b"HTTP/1.1 100 Go\r\nA: b\r\n c"
    b"\r\n\r\n" + OK + b"\tA: b\r\n\r\n",
    "folded lengths": OK + b"Content-Length: 1\r\n 1\r\n\r\nx",
    "fold with a bare LF": OK + b"A: b\n c\r\n\r\n",
    "fold with a NUL": OK + b"A: b\r\n \0\r\n\r\n",
    "signed length": OK + b"Content-Length: +1\r\n\r\nx",
    "negative length": OK + b"Content-Length: -1\r\n\r\nx",
    "length in hex": OK + b"Content-Length: 0x1\r\n\r\nx",
    "length with an underscore": OK + b"Content-Length: 1_0\r\n\r\nx",
    "length in other digits": OK + "Content-Length: ٣\r\n\r\nx".encode(),
    "no length in the length": OK + b"Content-Length:\r\n\r\nx",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a length twice": OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "lengths with a comma": OK + b"Content-Length: 1, 1\r\n\r\nx",
    "huge length": OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
    "length and chunks": OK
    + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": OK
    + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    "unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\nx",
    "unknown coding and chunks": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "chunks and unknown coding": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "almost chunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n",
    "no coding": OK + b"Transfer-Encoding:\r\n\r\nx",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    "chunked in two lines": OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n",
    "negative chunk": CHUNKED + b"-1\r\nx",
    "chunk size of 17 digits": CHUNKED + b"11111111111111111\r\n",
    "chunk size of 17 digits that is small": CHUNKED + b"0" * 16 + b"1\r\nx\r\n",
    "chunk size of 17 digits and junk": CHUNKED + b"0" * 17 + b"*\r\n",
    "chunk size of 16 digits and junk": CHUNKED + b"1" * 16 + b"*\r\n",
    "chunk size with 0x": CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n",
    "white space behind a chunk size": CHUNKED + b"1 \r\nx\r\n0\r\n\r\n",
    "white space before a chunk size": CHUNKED + b" 1\r\nx\r\n0\r\n\r\n",
    "junk behind a chunk size": CHUNKED + b"1 junk\r\nx\r\n0\r\n\r\n",
    "no chunk size": CHUNKED + b"\r\nx\r\n",
    "bare LF behind a chunk size": CHUNKED + b"1\nx\r\n0\r\n\r\n",
    "bare LF behind a chunk": CHUNKED + b"1\r\nx\n0\r\n\r\n",
    "bare LF behind an extension": CHUNKED + b"1;a\nx\r\n0\r\n\r\n",
    "no name in an extension": CHUNKED + b"1;=b\r\nx\r\n0\r\n\r\n",
    "no value in an extension": CHUNKED + b"1;a=\r\nx\r\n0\r\n\r\n",
    "junk behind an extension": CHUNKED + b'1;a="b"c\r\nx\r\n0\r\n\r\n',
    "control byte in an extension": CHUNKED + b"1;\x01\r\nx\r\n0\r\n\r\n",
    "no line end behind a chunk": CHUNKED + b"1\r\nxx0\r\n\r\n",
    "two other bytes behind a chunk": CHUNKED + b"1\r\nxyz0\r\n\r\n",
    "LF CR behind a chunk": CHUNKED + b"1\r\nx\n\r0\r\n\r\n",
    "CR and another byte behind a chunk": CHUNKED + b"1\r\nx\ry0\r\n\r\n",
    "another byte and LF behind a chunk": CHUNKED + b"1\r\nxy\n0\r\n\r\n",
    "trailer without a colon": CHUNKED + b"0\r\nA b\r\n\r\n",
    "folded last chunk": CHUNKED + b"0\r\n c\r\n\r\n",
    "folded chunk size": CHUNKED + b"1\r\n x\r\n0\r\n\r\n",
    "interim answer that closes": b"HTTP/1.1 100 Go\r\nConnection: close\r\n\r\n" + OK,
    "switched protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
    b"Connection: upgrade\r\n\r\nnot http",
    "switched protocols without a word": b"HTTP/1.1 101 x\r\n\r\nnot http",
}


class WholeAnswersTests(ClockCase):
    def test_however_it_is_cut_it_says_the_same(self) -> None:
        for name, data in {**WHOLE, **ENDING_WITH_THE_CONNECTION}.items():
            whole = read_whole([data])
            self.assertEqual(whole.raw, data, name)
            self.assertEqual(read(byte_by_byte(data)), whole, name)
            for cut in range(1, len(data)):
                self.assertEqual(read([data[:cut], data[cut:]]), whole, (name, cut))

    def test_what_comes_behind_is_left_out(self) -> None:
        for name, data in WHOLE.items():
            whole = read([data])
            for more in (
                b"\r\n",
                b"HTTP/1.1 200 OK\r\n\r\n",
                b"\r\n\r\n0\r\n\r\n",
                b"x",
            ):
                self.assertEqual(read([data + more]), whole, (name, more))
                for cut in range(1, len(data)):
                    pieces = [data[:cut], data[cut:] + more]
                    self.assertEqual(read(pieces), whole, (name, cut, more))

    def test_h11_reads_the_same(self) -> None:
        for name, data in {**WHOLE, **ENDING_WITH_THE_CONNECTION}.items():
            if name in H11_TAKES_NONE_OF:
                continue
            connection = h11.Connection(h11.CLIENT)
            connection.send(
                h11.Request(method="GET", target="/", headers=[("Host", "")])
            )
            connection.send(h11.EndOfMessage())
            connection.receive_data(data)
            connection.receive_data(b"")
            event = connection.next_event()
            while isinstance(event, h11.InformationalResponse):
                event = connection.next_event()
            assert isinstance(event, h11.Response), (name, event)
            ours = read_whole([data])
            self.assertEqual(ours.head.status, event.status_code, name)
            # h11 tells names, and this one value, in small letters.
            ours_lowered = [
                (n.lower().encode(), v.replace("Chunked", "chunked").encode())
                for n, v in ours.head.headers
            ]
            self.assertEqual(ours_lowered, list(event.headers), name)
            got = b""
            while isinstance(data_event := connection.next_event(), h11.Data):
                got += data_event.data
            self.assertEqual(ours.body, got, name)

    def test_white_space_in_extensions(self) -> None:
        data = WHOLE["chunked, with white space in extensions"]
        self.assertEqual(read_whole([data]).body, b"\r\nx")

    def test_values_in_detail(self) -> None:
        reader = ResponseReader(Limits())
        reader.feed(
            b"HTTP/1.0 404 Not  \xe9\r\nX-A:  b c \t\r\nx-a: \xff\r\nEmpty:\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        head = reader.head
        assert head is not None
        self.assertEqual((head.http_version, head.status), ("1.0", 404))
        self.assertEqual(head.reason, "Not  é")
        self.assertEqual(
            head.headers,
            (("X-A", "b c"), ("x-a", "ÿ"), ("Empty", ""), ("Content-Length", "0")),
        )

    def test_a_field_on_several_lines_is_one(self) -> None:
        answer = read_whole([WHOLE["folded fields"]])
        self.assertEqual(
            answer.head.headers,
            (("A", "b c d   e"), ("B", "f"), ("Content-Length", "1"), ("C", "")),
        )
        self.assertEqual((answer.body, answer.raw), (b"x", WHOLE["folded fields"]))

    @given(
        st.lists(st.binary(min_size=1, max_size=40), max_size=8),
        st.lists(st.integers(1, 60), min_size=1, max_size=20),
    )
    def test_any_chunks_in_any_pieces(
        self, chunks: list[bytes], sizes: list[int]
    ) -> None:
        data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        data += b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks)
        data += b"0\r\n\r\n"
        pieces, rest = [], data + b"HTTP/1.1 behind"
        for size in sizes:
            pieces.append(rest[:size])
            rest = rest[size:]
        answer = read_whole([*pieces, rest])
        self.assertEqual((answer.body, answer.raw), (b"".join(chunks), data))


class BrokenAnswersTests(ClockCase):
    def test_malformed(self) -> None:
        for name, data in MALFORMED.items():
            for pieces in ([data], byte_by_byte(data)):
                self.assertEqual(read_failure(pieces).error, "MalformedResponse", name)

    def test_it_is_said_what_is_malformed(self) -> None:
        closes = "an interim answer that closes the connection"
        switched = "the server switched protocols, though it was not asked to"
        for name, text in {
            "another protocol": "the answer does not begin with HTTP/",
            "HTTP/0.9": "the answer's version is neither HTTP/1.0 nor HTTP/1.1",
            "status 099": "status 099: expected 100 to 999",
            "control byte in the reason": "a control character in the reason phrase",
            "switched protocols": switched,
            "switched protocols without a word": switched,
            "interim answer that closes": closes,
            "unknown coding": "transfer-encoding 'gzip': expected 'chunked'",
            "chunked twice": "transfer-encoding 'chunked, chunked': expected 'chunked'",
            "signed length": "invalid character in Content-Length",
            "no chunk size": "invalid character in chunk size",
            "control byte in an extension": "invalid character in chunk extensions",
        }.items():
            self.assertEqual(read_failure([MALFORMED[name]]).text, text, name)

    def test_malformed_however_it_is_cut(self) -> None:
        for name, data in MALFORMED.items():
            said = read_failure([data])
            for cut in range(1, len(data)):
                self.assertEqual(read([data[:cut], data[cut:]]), said, (name, cut))

    def test_what_cannot_become_a_response_is_refused_at_once(self) -> None:
        for data in (
            *(b"SSH-2.0", b"\x16\x03", b"\r\n<html>", b"HTTP/1.1 2_"),
            *(OK + b"A b\r\nC", OK + b"A: b\n\n", OK + b"A: b\rc\r\nD"),
            *(CHUNKED + b"x", CHUNKED + b"1x", CHUNKED + b"1 x", CHUNKED + b"1\rx"),
            *(CHUNKED + b"1\r\nxy", CHUNKED + b"1\r\nx\ry", CHUNKED + b"1;a\n"),
            *(CHUNKED + b"0\r\nA b\r\nC", CHUNKED + b"0\r\n c\r\nD"),
        ):
            for pieces in ([data], byte_by_byte(data)):
                reader = ResponseReader(Limits())
                with self.assertRaises(MalformedResponse, msg=data):
                    for piece in pieces:
                        reader.feed(piece)

    def test_what_there_is_of_them(self) -> None:
        limits = Limits(head=400, body=20)
        for data, status, body in [
            (OK + b"Content-Length: 9\r\n\r\nabc", 200, b"abc"),
            (OK + b"Content-Length: 21\r\n\r\nabc", 200, b""),
            (OK + b"\r\n" + b"x" * 21, 200, b"x" * 21),
            (CHUNKED + b"3\r\nabc\r\n2\r\nx", 200, b"abcx"),
            (CHUNKED + b"3\r\nabc\r\n15\r\n", 200, b"abc"),
            (CHUNKED + b"3\r\nabc\r\nx\r\n", 200, b"abc"),
            (OK + b"A: b", None, b""),
            (b"x" * 500, None, b""),
            (b"", None, b""),
        ]:
            for pieces in ([data], byte_by_byte(data)):
                reader = ResponseReader(limits)
                with self.assertRaises(RequestError):
                    for piece in pieces:
                        reader.feed(piece)
                    reader.end()
                self.assertEqual(reader.head and reader.head.status, status)
                self.assertEqual((reader.body, reader.size), (body, len(body)))
                self.assertTrue(data.startswith(reader.raw))
                self.assertEqual(len(reader.raw), reader.received)
                self.assertFalse(reader.can_be_followed)

    def test_cut_short_anywhere(self) -> None:
        for name, data in WHOLE.items():
            for end in range(1, len(data)):
                said = read_failure([data[:end]])
                self.assertEqual(said.error, "ResponseCutShort", (name, end))
                is_in_head = "in the head" in said.text
                self.assertEqual(said.phase, "head" if is_in_head else "body")

    def test_nothing_at_all(self) -> None:
        self.assertEqual(read_failure([]).error, "EmptyResponse")

    def test_how_much_came(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
        self.assertIn("after 3 of 9 bytes", read_failure([head + b"abc"]).text)
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab"
        said = read_failure([chunked]).text
        self.assertIn("before the last chunk, after 2 bytes", said)
        self.assertIn("in the head, after 9 bytes", read_failure([b"HTTP/1.1 "]).text)

    @given(st.binary(max_size=60).map(b"HTTP/1.1 2".__add__) | st.binary(max_size=60))
    def test_any_bytes_are_read_or_refused(self, data: bytes) -> None:
        whole = read([data])
        self.assertEqual(read(byte_by_byte(data)), whole)


CHUNKED_BRIEF = b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"


class LimitsTests(ClockCase):
    limits = Limits(head=100, body=50)

    def read(self, data: bytes) -> str | bytes:
        """The error's name or the body, the same for all ways of feeding."""
        whole = read([data], self.limits)
        for cut in range(1, len(data)):
            self.assertEqual(read([data[:cut], data[cut:]], self.limits), whole)
        return whole.body if isinstance(whole, Whole) else whole.error

    def test_head(self) -> None:
        start, end = b"HTTP/1.1 200 OK\r\nA: ", b"\r\nContent-Length: 0\r\n\r\n"
        room = 100 - len(start + end)
        self.assertEqual(self.read(start + b"x" * room + end), b"")
        for data in (start + b"x" * (room + 1) + end, b"HTTP/1.1 200 " + b"x" * 99):
            self.assertEqual(self.read(data), "MalformedResponse")

    def test_head_with_interim_heads(self) -> None:
        interim = b"\r\nHTTP/1.1 103 X\r\nA: b\r\n\r\n"
        start, end = b"HTTP/1.1 200 ", b"\r\nContent-Length: 0\r\n\r\n"
        room = 100 - len(interim + start + end)
        self.assertEqual(self.read(interim + start + b"x" * room + end), b"")
        data = interim + start + b"x" * (room + 1) + end
        self.assertEqual(self.read(data), "MalformedResponse")
        # Without the line end before it, it is as long as it may be.
        self.assertEqual(self.read(data[1:]), b"")
        self.assertEqual(self.read(data[2:]), b"")

    def test_endless_line_ends_before_an_answer(self) -> None:
        began = time.process_time()
        for ends in [b"\r\n", b"\n", b"\r"]:
            flood = ends * (300 * 1024 // len(ends))
            for pieces in ([flood + b"\n"], [flood[:100_001], flood, OK]):
                said = read_failure(pieces)
                self.assertEqual(said.text, "the head is larger than 307200 bytes")
        # A minute for each, where all that came before is looked at again each time.
        self.assertLess(time.process_time() - began, 10)

    def test_endless_interim_answers(self) -> None:
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        self.assertEqual(self.read(interim * 5), "MalformedResponse")

    def test_body_of_known_length(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
        self.assertEqual(self.read(head % 50 + b"x" * 50), b"x" * 50)
        # Refused on its word, before any of it came.
        self.assertEqual(self.read(head % 51), "ResponseTooLarge")

    def test_body_that_ends_with_the_connection(self) -> None:
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        self.assertEqual(self.read(head + b"x" * 50), b"x" * 50)
        self.assertEqual(self.read(head + b"x" * 51), "ResponseTooLarge")

    def test_chunks_without_their_framing(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk, last = b"1\r\nx\r\n", b"0\r\nTrailer: not of the body\r\n\r\n"
        self.assertEqual(self.read(head + chunk * 50 + last), b"x" * 50)
        self.assertEqual(self.read(head + chunk * 51 + last), "ResponseTooLarge")
        one = head + b"32\r\n" + b"x" * 50 + b"\r\n0\r\n\r\n"
        self.assertEqual(self.read(one), b"x" * 50)
        # Refused on its word, before any of it came.
        for chunks in (chunk * 50 + b"1\r\n", chunk * 10 + b"29\r\n"):
            self.assertEqual(self.read(head + chunks), "ResponseTooLarge")
        self.assertEqual(
            self.read(head + chunk + b"0\r\n" + b"T: x\r\n" * 20),
            "MalformedResponse",
        )

    def test_a_head_of_folds(self) -> None:
        for fold in (b"\r\n x", b"\r\n ", b" \r\n\t", b"\r\n" + b" " * 50):
            start, end = OK + b"A: b", b"\r\nContent-Length: 0\r\n\r\n"
            many = fold * (300 * 1024 // len(fold))
            for pieces in ([start + many + end], [start, many[:-9], many[-9:], end]):
                said = read_failure(pieces)
                self.assertEqual(said.text, "the head is larger than 307200 bytes")
            fewer = many[: -100 * len(fold)]
            self.assertIsInstance(read([start + fewer + end]), Whole)

    def test_digits_of_a_length(self) -> None:
        head = OK + b"Content-Length: " + b"0" * 5000
        self.assertEqual(read_whole([head + b"2\r\n\r\nokay"]).body, b"ok")
        self.assertEqual(read_whole([head + b"\r\n\r\nokay"]).body, b"")
        for digits in (b"1" * 19, b"0" * 5000 + b"1" * 19):
            said = read_failure([OK + b"Content-Length: " + digits + b"\r\n\r\nx"])
            self.assertEqual(said.error, "MalformedResponse")
            self.assertIn("expected a whole number of at most 18 digits", said.text)
            self.assertLess(len(said.text), 200)

    def test_number_of_fields(self) -> None:
        end = b"Content-Length: 0\r\n\r\n"
        self.assertIsInstance(read([OK + b"A: b\r\n" * 999 + end]), Whole)
        for number in (1000, 5000):
            said = read_failure([OK + b"A: b\r\n" * number + end])
            self.assertEqual(said.error, "MalformedResponse")
            self.assertEqual(said.text, "more than 1000 header fields")

    def test_by_default(self) -> None:
        for data in (
            b"HTTP/1.1 200 " + b"x" * 300 * 1024,
            OK + b"A: " + b"x" * 300 * 1024,
            OK + b"".join(b"A: %b\r\n" % (b"x" * 1000) for _ in range(310)),
        ):
            said = read_failure([data])
            self.assertEqual(said.error, "MalformedResponse")
            self.assertEqual(said.text, "the head is larger than 307200 bytes")
        most = 64 * 1024 * 1024
        for length, error in {
            most: "ResponseCutShort",
            most + 1: "ResponseTooLarge",
        }.items():
            said = read_failure([OK + b"Content-Length: %d\r\n\r\n" % length])
            self.assertEqual(said.error, error)

    def test_number_of_interim_answers(self) -> None:
        interim, last = b"HTTP/1.1 100 Go\r\n\r\n", OK + b"Content-Length: 0\r\n\r\n"
        self.assertIsInstance(read([interim * 20 + last]), Whole)
        for number in (21, 20_000):
            said = read_failure([interim * number + last])
            self.assertEqual(said.text, "more than 20 interim answers")

    def test_chunk_that_is_announced_too_large(self) -> None:
        # Refused on its word, before any of it came.
        self.assertEqual(self.read(CHUNKED_BRIEF + b"33\r\n"), "ResponseTooLarge")
        said = read_failure([CHUNKED + b"f" * 16 + b"\r\nx"])
        self.assertIn("is to have 18446744073709551615 bytes", said.text)

    def test_trailers(self) -> None:
        said = read_failure([CHUNKED + b"0\r\n" + b"T: x\r\n" * 60_000 + b"\r\n"])
        self.assertEqual(said.text, "the trailers are larger than 307200 bytes")
        trailer = b"T: " + b"x" * (300 * 1024 - 7) + b"\r\n"
        self.assertIsInstance(read([CHUNKED + b"0\r\n" + trailer + b"\r\n"]), Whole)

    def test_extensions(self) -> None:
        for more, error in {b"": None, b"x": "a chunk's line is longer"}.items():
            line = b"1;" + b"x" * (4096 - 4) + more + b"\r\n"
            data = CHUNKED + line + b"y\r\n0\r\n\r\n"
            for pieces in ([data], byte_by_byte(data)):
                answer = read(pieces)
                if error is None:
                    self.assertIsInstance(answer, Whole)
                else:
                    assert isinstance(answer, Failed)
                    self.assertIn(error, answer.text)
        for size in (5000, 2**20):
            data = CHUNKED + b"1;" + b"x" * size + b"\r\ny\r\n0\r\n\r\n"
            for pieces in ([data], [data[:3000], data[3000:4500], data[4500:]]):
                said = read_failure(pieces)
                self.assertEqual(said.text, "a chunk's line is longer than 4096 bytes")
        chunk = b"1;" + b"x" * 4000 + b"\r\ny\r\n"
        said = read_failure([CHUNKED + chunk * 5])
        self.assertEqual(said.text, "the chunks have more framing than data")
        # Some that are signed one by one have so much, and as much data.
        chunk = b"400;" + b"x" * 2000 + b"\r\n" + b"y" * 1024 + b"\r\n"
        body = read_whole([CHUNKED + chunk * 100 + b"0\r\n\r\n"]).body
        self.assertEqual(len(body), 102_400)
        # And as many bytes as chunks is no attack either.
        body = read_whole([CHUNKED + b"1\r\ny\r\n" * 10_000 + b"0\r\n\r\n"]).body
        self.assertEqual(len(body), 10_000)


class ManyPiecesTests(ClockCase):
    """No byte costs more because of those that came before it."""

    def seconds(self, begin: bytes, more: bytes, times: int) -> float:
        """To read what comes byte by byte, until it is refused or has come."""
        reader = ResponseReader(Limits())
        pieces = byte_by_byte(begin + more * times)
        began = time.process_time()
        with contextlib.suppress(MalformedResponse):
            for piece in pieces:
                reader.feed(piece)
        return time.process_time() - began

    def test_byte_by_byte(self) -> None:
        size = 100 * 1024
        for begin, more in [
            (b"", b"\r\n"),
            (b"HTTP/1.1 200 ", b"x"),
            (OK + b"A: ", b"x"),
            (OK + b"A: b\r\n ", b" "),
            (OK + b"A: b", b"\r\n "),
            (OK + b"A: b\r\n", b"B: " + b"c" * 400 + b"\r\n"),
            (OK + b"\r\n", b"x"),
            (CHUNKED, b"1\r\nx\r\n"),
            (CHUNKED + b"fffff\r\n", b"x"),
            (CHUNKED + b"0\r\n", b"A: b\r\n"),
            (CHUNKED + b"0\r\nA: ", b"x"),
        ]:
            # A fifth of a second; where it is quadratic, it may be thirty.
            taken = self.seconds(begin, more, size // len(more))
            self.assertLess(taken, 3, (begin[-20:], more[:20]))

    def test_a_large_body_is_copied_when_it_is_asked_for(self) -> None:
        size, piece = 16 * 1024 * 1024, b"x" * 65536
        chunk = b"10000\r\n" + piece + b"\r\n"
        for begin, each, copies in [
            (OK + b"Content-Length: %d\r\n\r\n" % size, piece, 1),
            (CHUNKED, chunk, 2),
        ]:
            reader = ResponseReader(Limits())
            tracemalloc.start()
            reader.feed(begin)
            for _ in range(size // len(piece)):
                reader.feed(each)
            _, peak = tracemalloc.get_traced_memory()
            self.assertLess(peak, copies * 1.3 * size)
            self.assertEqual(len(reader.body), size)
            tracemalloc.stop()


COUNTED: dict[bytes, tuple[int, int, bool]] = {
    OK + b"Content-Length: 5\r\n\r\nhello": (200, 5, True),
    OK + b"Content-Length: 0\r\n\r\n": (200, 0, True),
    OK + b"X-Close-Me: close\r\nContent-Length: 0\r\n\r\n": (200, 0, True),
    OK + b"Content-Length: 4\r\n\r\n\r\n\r\n": (200, 4, True),
    OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nab": (200, 2, False),
    OK + b"Content-Length: 2\r\nConnection: a, Close\r\n\r\nab": (200, 2, False),
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab": (200, 2, False),
    b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nab": (
        *(200, 2, True),
    ),
    b"HTTP/1.1 204 No\r\n\r\n": (204, 0, True),
    b"HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n": (304, 0, True),
    CHUNKED + b"5\r\nhello\r\n0\r\n\r\n": (200, 5, True),
    CHUNKED + b"5\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n": (200, 6, True),
    CHUNKED + b"2;a=b\r\n\r\n\r\n0\r\nA: b\r\n\r\n": (200, 2, True),
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n": (200, 1, False),
    b"HTTP/1.1 100 Go\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na": (200, 1, True),
    b"HTTP/1.1 103 X\r\nA: b\r\n\r\n" + CHUNKED + b"0\r\n\r\n": (200, 0, True),
}
"""The status of each, the size of its body, and whether another may follow."""

Counted = tuple[int, int, bool] | str

COUNTED_AT_THE_END: dict[bytes, Counted] = {
    OK + b"\r\nab": (200, 2, False),
    b"": "EmptyResponse",
    b"HTTP/1.1 2": "ResponseCutShort",
    OK + b"Content-Length: 5\r\n\r\nhel": "ResponseCutShort",
    CHUNKED + b"5\r\nhello\r\n": "ResponseCutShort",
    CHUNKED + b"5\r\nhello\r\n0\r\n": "ResponseCutShort",
    b"HTTP/1.1 100 Go\r\n\r\n": "ResponseCutShort",
    OK + b"A b": "MalformedResponse",
    CHUNKED + b"0\r\nA b": "MalformedResponse",
}


def count(reader: ResponseReader, pieces: Iterable[bytes]) -> Counted:
    """What the reader says of what comes in these pieces, and then the end."""
    reader.reset()
    try:
        if not any(reader.feed(piece) for piece in pieces if piece):
            reader.end()
    except RequestError as error:
        return type(error).__name__
    assert reader.head is not None
    return reader.head.status, reader.size, reader.can_be_followed


def cuts(data: bytes) -> Iterable[list[bytes]]:
    yield [data]
    yield byte_by_byte(data)
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]


class CountedTests(ClockCase):
    """Readers that keep no body, and read one response after another."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(Memo, "is_on", True)
        self.forget()
        self.addCleanup(self.forget)
        self.reader = ResponseReader(Limits(), keeps_body=False)

    def forget(self) -> None:
        for memo in (parse_head, read_at_once):
            memo._results.clear()
            memo._came.clear()

    def test_one_after_another(self) -> None:
        keeper = ResponseReader(Limits())
        for data, expected in {**COUNTED, **COUNTED_AT_THE_END}.items():
            for cut in cuts(data):
                self.assertEqual(count(self.reader, cut), expected, cut)
                self.assertEqual((self.reader.raw, self.reader.body), (b"", b""))
                self.assertEqual(count(keeper, cut), expected, cut)
                self.assertEqual(keeper.raw, data)
                for reader in (self.reader, keeper):
                    self.assertEqual(reader.received, len(data))
                    self.assertEqual(reader.has_begun, bool(data))

    def test_bytes_behind_the_end(self) -> None:
        # The response is good, and nothing can follow it.
        for data, (status, size, _) in COUNTED.items():
            for more in (b"x", b"\r\n", b"\0" * 70_000, data):
                for cut in (
                    [data + more],
                    [*byte_by_byte(data[:-1]), data[-1:] + more],
                ):
                    counted = count(self.reader, cut)
                    self.assertEqual(counted, (status, size, False), data)
                    self.assertFalse(self.reader.can_be_followed)
                    self.assertEqual(self.reader.received, len(data))

    def test_bytes_that_come_later_are_behind_the_end(self) -> None:
        for keeps_body in (True, False):
            reader = ResponseReader(Limits(), keeps_body=keeps_body)
            for data in COUNTED:
                reader.reset()
                self.assertTrue(reader.feed(data))
                reader.end()
                self.assertTrue(reader.feed(b"HTTP/1.1 200"))
                self.assertFalse(reader.can_be_followed)
                self.assertEqual(reader.received, len(data))
                self.assertEqual(reader.raw, data if keeps_body else b"")

    def test_what_is_known_means_the_same(self) -> None:
        # Memos are off in the second of these.
        for is_on in (True, False):
            self.patch(Memo, "is_on", is_on)
            self.forget()
            for _ in range(3):
                for data, expected in {**COUNTED, **COUNTED_AT_THE_END}.items():
                    self.assertEqual(count(self.reader, [data]), expected, data)
                for data in MALFORMED.values():
                    counted = count(self.reader, [data])
                    self.assertEqual(counted, "MalformedResponse", data)
            self.assertEqual(len(parse_head) > 0, is_on)
            self.assertEqual(len(read_at_once) > 10, is_on)

    def test_another_body_behind_a_known_head(self) -> None:
        head = OK + b"Content-Length: 3\r\n\r\n"
        for body, expected in {
            b"abc": (200, 3, True),
            b"xyz": (200, 3, True),
            b"xy": "ResponseCutShort",
            b"": "ResponseCutShort",
        }.items():
            self.assertEqual(count(self.reader, [head + body]), expected)
            self.assertEqual(count(self.reader, [head, body]), expected)

    def test_limits_are_a_reader_s_own(self) -> None:
        small = ResponseReader(Limits(head=30, body=2))
        for data, expected in {
            OK + b"Content-Length: 3\r\n\r\nabc": "MalformedResponse",
            b"HTTP/1.1 204 No\r\n\r\n": (204, 0, True),
            OK + b"\r\nabc": "ResponseTooLarge",
        }.items():
            for _ in range(3):
                self.assertEqual(count(small, [data]), expected, data)
                self.assertIsInstance(count(self.reader, [data]), tuple)

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
                self.reader.reset()
                self.assertFalse(self.reader.feed(begin) if begin else False)
                sent = 0
                with self.assertRaises(MalformedResponse) as caught:
                    while sent < 1_000_000:
                        self.assertFalse(self.reader.feed(more * at_once))
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
            reader = self.reader
            reader.reset()
            reader.feed(begin)
            reader.feed(each)
            tracemalloc.start()
            for _ in range(pieces - 1):
                reader.feed(each)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(peak, 500_000)
            if end:
                self.assertTrue(reader.feed(end))
            self.assertEqual(reader.size, 65536 * pieces)
