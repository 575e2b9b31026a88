"""Our reader beside two others: llhttp alone, and h11.

Where both find an answer malformed, so must we, but for folded fields, which llhttp
does not take, and for white space before a chunk's extension, which neither takes
(RFC 9112, 5.2 and 7.1.1). Where we are stricter than both, the reason has a name here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import h11
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from hypothesis import given, settings
from hypothesis import strategies as st

from nbtwisted.client.connection.reader import Limits
from tests import examples
from tests.client.test_reader import (
    ENDING_WITH_THE_CONNECTION,
    MALFORMED,
    WHOLE,
    Whole,
    byte_by_byte,
    read,
)
from tests.guard import ClockCase

STRICTER = {
    # llhttp also reads RTSP, ICE and HTTP/0.9, and h11 any HTTP/1.x. We asked by 1.1.
    "the answer's version is neither": "version",
    # RFC 9112, 4: no control characters in a reason phrase, which programs print.
    # llhttp takes all of them, h11 all but NUL, VT, FF and the line ends.
    "a control character in the reason phrase": "reason",
    # Limits, as Go has them: a size that overflows others, and framing without data.
    "a chunk's size has more than": "digits",
    "content-length .* at most 18 digits": "digits",
    "a chunk's line is longer than": "line",
    # RFC 9112, 7.1.1: an extension has a name; a value is a token, or is in quotes.
    # llhttp takes `;;a`, `;=b`, `;a=` and `;a=b"c"`, and h11 anything.
    "invalid character in chunk extensions": "extension",
    "the chunks have more framing than data": "excess",
    # llhttp goes on to read another answer in its place; h11 waits for one.
    "more than .* header fields": "fields",
}


@dataclass
class Verdict:
    """What another parser says: whether it is malformed, and the body if it is not.

    None is to wait for the rest of the head before it says anything.
    """

    is_malformed: bool | None
    body: bytes | None


def llhttp(data: bytes) -> Verdict:
    class Message:
        body = b""
        status = 0
        is_complete = False

        def on_headers_complete(self) -> None:
            self.status = parser.get_status_code()

        def on_body(self, part: bytes) -> None:
            if not self.is_complete:
                self.body += part

        def on_message_complete(self) -> None:
            self.is_complete = self.is_complete or self.status >= 200

    message = Message()
    parser = HttpResponseParser(message)
    try:
        parser.feed_data(_without_tabs(data))
    except HttpParserUpgrade:
        pass
    except HttpParserError:
        # What it finds behind the answer is no fault of the answer.
        return Verdict(not message.is_complete, message.body)
    return Verdict(False, message.body)


def _without_tabs(data: bytes) -> bytes:
    """The same with spaces for tabs behind a Transfer-Encoding.

    RFC 9110, 5.5, has white space of both kinds there; llhttp takes tabs for a part of
    the coding's name.
    """
    head, blank_line, rest = data.partition(b"\r\n\r\n")
    coding = re.compile(rb"(?i)^transfer-encoding:[^\r\n]*", re.M)
    head = coding.sub(lambda line: line[0].replace(b"\t", b" "), head)
    return head + blank_line + rest


def by_h11(data: bytes) -> Verdict:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=10**6)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "")]))
    connection.send(h11.EndOfMessage())
    body = None
    try:
        connection.receive_data(data)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                body = b""
            elif isinstance(event, h11.Data):
                assert body is not None
                body += event.data
            elif event is h11.NEED_DATA and body is None:
                return Verdict(None, None)
            elif not isinstance(event, h11.InformationalResponse):
                # It has ended, or there is no more, or it pauses for an upgrade.
                return Verdict(False, body)
    except h11.RemoteProtocolError:
        return Verdict(True, None)


STARTS = [b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.0 200 OK", b"HTTP/1.1 304 "]
STARTS += [b"HTTP/1.1 100 Go", b"HTTP/1.1 404", b"HTTP/1.1 20 x", b"HTTP/1.1 2_00 OK"]
STARTS += [b"HTTP/1.2 200 OK", b"HTTP/2.0 200 OK", b"ICY 200 OK", b"HTTP/1.1 099 x"]
STARTS += [b"HTTP/1.1 200 a\tb", b"HTTP/1.1 1000 OK", b" HTTP/1.1 200 OK", b""]
FIELDS = [b"A: b", b"A:b", b"A:", b"A : b", b" A: b", b"A\0: b", b"A: b\0", b": b"]
FIELDS += [b"Content-Length: %b" % n for n in (b"5", b"5", b"0", b"+5", b"5, 5", b"-1")]
FIELDS += [b"Content-Length: %b" % n for n in (b"", b"0x5", b"5 5", b"9" * 19, b"1_0")]
FIELDS += [b"Transfer-Encoding: %b" % n for n in (b"chunked", b"Chunked", b"gzip", b"")]
FIELDS += [b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: gzip, chunked"]
FIELDS += [b"Transfer-Encoding: chunked\t", b"Transfer-Encoding: \tchunked \t"]
FIELDS += [
    b"Connection: close",
    b"Connection: keep-alive",
    b"X",
    b"A\x7f: b",
    b"B: \xff",
]
BODIES = [
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"5;x=y\r\nhello\r\n",
]
BODIES += [b"-5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"g\r\n", b"\r\n"]
BODIES += [b"00000000000000005\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"0x5\r\n"]
EXTENSIONS = [b"", b";a", b";a=b", b' ;a = "b"', b";a=", b";;a", b" ", b";a=b;c ; d"]
EXTENSIONS += [b';a="b"c', b';a="\\""', b';a="', b";\x01", b";a=\xff", b";a\n", b"\r"]
BODIES += [b"5%b\r\nhello\r\n1\r\nx\r\n00;a\r\n\r\n" % each for each in EXTENSIONS]
BODIES += [b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", b"5\r\nhello\r\n0\r\nA b\r\n\r\n"]
LINE_ENDS = [b"\r\n"] * 8 + [b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\r\n\t"]


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Answers of which many are malformed, and mostly in one place only."""
    data = b""
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        lines = [draw(st.sampled_from(STARTS))]
        lines += draw(st.lists(st.sampled_from(FIELDS), max_size=4))
        for line in [*lines, b""]:
            data += line + draw(st.sampled_from(LINE_ENDS))
    data += draw(st.sampled_from(BODIES))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(0, len(data)))
        more = draw(
            st.sampled_from([b"\0", b"\r", b"\n", b" ", b"\t", b":", b"0", b""])
        )
        data = data[:at] + more + data[at + draw(st.integers(0, 2)) :]
    return data


def without_white_space(data: bytes) -> bytes:
    """The same, but for white space in the extensions of chunks."""
    return re.sub(
        rb"\n[0-9A-Fa-f]+[ \t]*;[^\r\n]*",
        lambda line: re.sub(rb"[ \t]*([;=])[ \t]*", rb"\1", line[0]),
        data,
    )


def simpler(data: bytes) -> Iterator[bytes]:
    """The same without what only we take: folds in heads, and in the trailers."""
    for text in (data, without_white_space(data)):
        yield text
        # A body may have what looks like a fold.
        for end in re.finditer(b"\r\n\r\n", text):
            yield unfolded(text[: end.start()]) + text[end.start() :]
        yield unfolded(text)


def unfolded(text: bytes) -> bytes:
    return re.sub(rb"\r?\n[ \t]+", b" ", text)


def compare(data: bytes) -> str:
    """Compare what the three make of it; returns why we are stricter, if we are.

    Raises `AssertionError` where we should not differ. `fuzz_reader.py` uses it, too.
    """
    ours = read([data], Limits(body=10**9))
    others = [llhttp(data), by_h11(data)]
    if isinstance(ours, Whole):
        for text in simpler(data):
            others = [llhttp(text), by_h11(text)]
            if not all(verdict.is_malformed for verdict in others):
                break
        else:
            raise AssertionError(("both refuse it", data))
    if isinstance(ours, Whole):
        for verdict in others:
            is_other = verdict.is_malformed is False and verdict.body != ours.body
            assert not is_other, (verdict, data)
    elif ours.error == "MalformedResponse":
        # h11 says nothing before the end of the head, where others can be sure before.
        if any(verdict.is_malformed is not False for verdict in others):
            return ""
        reasons = [why for text, why in STRICTER.items() if re.match(text, ours.text)]
        assert len(reasons) == 1, (ours, data)
        return reasons[0]
    return ""


class DifferentialTests(ClockCase):
    @settings(max_examples=examples(1000))
    @given(
        answers(),
        st.sampled_from([Limits(), Limits(head=100, body=9)]),
        st.lists(st.integers(1, 40), min_size=1, max_size=20),
    )
    def test_however_they_are_cut(
        self, data: bytes, limits: Limits, sizes: list[int]
    ) -> None:
        whole = read([data], limits)
        self.assertEqual(read(byte_by_byte(data), limits), whole)
        pieces, at = [], 0
        for size in [*sizes, len(data)]:
            pieces.append(data[at : at + size])
            at += size
        self.assertEqual(read(pieces, limits), whole)

    @settings(max_examples=examples(1500))
    @given(answers())
    def test_built_answers(self, data: bytes) -> None:
        compare(data)

    @given(st.binary(max_size=60).map(b"HTTP/1.1 2".__add__) | st.binary(max_size=60))
    def test_any_bytes(self, data: bytes) -> None:
        compare(data)

    def test_those_of_the_tables(self) -> None:
        for data in [*WHOLE.values(), *ENDING_WITH_THE_CONNECTION.values()]:
            compare(data)
        for data in MALFORMED.values():
            compare(data)

    def test_each_way_to_be_stricter(self) -> None:
        head = b"HTTP/1.1 200 OK\r\n"
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        reasons = {
            "version": b"HTTP/0.9 200 OK\r\n\r\n",
            "reason": b"HTTP/1.1 200 \x01\r\n\r\n",
            "digits": chunked + b"0" * 17 + b"\r\n\r\n",
            "line": chunked + b"1;" + b"x" * 5000 + b"\r\nx\r\n0\r\n\r\n",
            "extension": chunked + b"1;a=\r\nx\r\n0\r\n\r\n",
            "excess": chunked + (b"1;" + b"x" * 4000 + b"\r\nx\r\n") * 5 + b"0\r\n\r\n",
            "fields": head + b"A: b\r\n" * 1001 + b"\r\n",
        }
        self.assertEqual(set(reasons), set(STRICTER.values()))
        for why, data in reasons.items():
            self.assertEqual(compare(data), why)
