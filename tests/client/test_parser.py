"""The parser, fed whole, byte by byte, and cut at every position."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import h11
from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.connection.parser import Limits, ResponseParser
from nbtwisted.client.errors import RequestError
from nbtwisted.client.response import Head
from tests.guard import ClockCase


@dataclass
class Whole:
    head: Head
    body: bytes
    raw: bytes


@dataclass
class Failed:
    error: str
    text: str


def read(pieces: Iterable[bytes], limits: Limits | None = None) -> Whole | Failed:
    """What the parser makes of a connection on which `pieces` arrive, then its end."""
    parser = ResponseParser(limits or Limits())
    try:
        if not any(parser.feed(piece) for piece in pieces):
            parser.end()
    except RequestError as error:
        return Failed(type(error).__name__, str(error))
    assert parser.head is not None
    return Whole(parser.head, parser.body, parser.raw)


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
    b'2 ; a = "b ; c"\t;d\r\n\r\n\r\n1\t;a\r\nx\r\n0 ; b\r\nA: b\r\n\r\n',
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
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
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
    "control byte in an extension": CHUNKED + b"1;\x01\r\nx\r\n0\r\n\r\n",
    "no line end behind a chunk": CHUNKED + b"1\r\nxx0\r\n\r\n",
    "trailer without a colon": CHUNKED + b"0\r\nA b\r\n\r\n",
    "folded last chunk": CHUNKED + b"0\r\n c\r\n\r\n",
    "folded chunk size": CHUNKED + b"1\r\n x\r\n0\r\n\r\n",
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
        parser = ResponseParser(Limits())
        parser.feed(
            b"HTTP/1.0 404 Not  \xe9\r\nX-A:  b c \t\r\nx-a: \xff\r\nEmpty:\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        head = parser.head
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

    def test_malformed_however_it_is_cut(self) -> None:
        for name, data in MALFORMED.items():
            said = read_failure([data])
            for cut in range(1, len(data)):
                self.assertEqual(read([data[:cut], data[cut:]]), said, (name, cut))

    def test_cut_short_anywhere(self) -> None:
        for name, data in WHOLE.items():
            for end in range(1, len(data)):
                said = read_failure([data[:end]])
                self.assertEqual(said.error, "ResponseCutShort", (name, end))

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
        for size in (5000, 2**20):
            data = CHUNKED + b"1;" + b"x" * size + b"\r\ny\r\n0\r\n\r\n"
            for pieces in ([data], [data[:3000], data[3000:4500], data[4500:]]):
                said = read_failure(pieces)
                self.assertEqual(said.text, "a chunk's line is longer than 4096 bytes")
        chunk = b"1;" + b"x" * 4000 + b"\r\ny\r\n"
        said = read_failure([CHUNKED + chunk * 5])
        self.assertEqual(said.text, "the chunks have more framing than data")
        # Some that are signed one by one have so much, and as much data.
        chunk = b"400;" + b"x" * 500 + b"\r\n" + b"y" * 1024 + b"\r\n"
        body = read_whole([CHUNKED + chunk * 100 + b"0\r\n\r\n"]).body
        self.assertEqual(len(body), 102_400)
        # And as many bytes as chunks is no attack either.
        body = read_whole([CHUNKED + b"1\r\ny\r\n" * 10_000 + b"0\r\n\r\n"]).body
        self.assertEqual(len(body), 10_000)


class CountedTests(ClockCase):
    def count(self, pieces: Iterable[bytes]) -> int | str:
        """The size of the body, of which nothing is kept."""
        parser = ResponseParser(Limits(), keeps_body=False)
        self.assertEqual(parser.body_size, 0)
        try:
            if not any(parser.feed(piece) for piece in pieces):
                parser.end()
        except RequestError as error:
            return str(error)
        return parser.body_size

    def test_as_many_bytes_as_were_kept(self) -> None:
        answers = [
            *((data, len(body)) for data, body in COUNTED.items()),
            (OK + b"Content-Length: 5\r\n\r\nhel", None),
            (CHUNKED + b"5\r\nhello\r\n", None),
        ]
        for data, size in answers:
            for pieces in ([data], byte_by_byte(data)):
                kept = read(pieces)
                expected = kept.text if isinstance(kept, Failed) else len(kept.body)
                self.assertEqual(self.count(pieces), expected)
                self.assertIn(size, (None, expected))


COUNTED = {
    OK + b"\r\nuntil it closes": b"until it closes",
    OK + b"Content-Length: 5\r\n\r\nhello": b"hello",
    CHUNKED + b"5\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n": b"hello!",
    b"HTTP/1.1 100 Go\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nokmore": b"ok",
    b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n": b"",
}
