"""What reaches the wire: canonical on both sides of the proxy, or nothing.

A raw upstream keeps the bytes that reach it, and a raw client those that reach that;
`judging.py` reads both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.test_reader import OK, Whole
from tests.client.test_reader import read as read_answer
from tests.guard import ClockCase
from tests.proxy import judging
from tests.proxy.judging import Arrived
from tests.proxy.raw_ends import RawEnds
from tests.proxy.vectors import (
    ANSWERS_TAKEN,
    BROKEN_ANSWERS,
    HIDDEN,
    HIDING_REQUESTS,
    REQUESTS_REFUSED,
    REQUESTS_TAKEN,
    SURPLUS,
)
from tests.server.test_framing import CHUNKED, GOOD, START, byte_by_byte, read

PLAIN = OK + b"Content-Length: 2\r\n\r\nok"
ASKS = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"

ADDED = (b"via", b"host")
"""What requests get on the way, in small letters."""

ADDED_TO_ANSWERS = (b"server-timing", b"date")

NOT_PASSED_ON = {
    *judging.FOR_ONE_CONNECTION,
    *(b"connection", b"transfer-encoding", b"content-length", b"trailer", b"expect"),
}

Fields = Sequence[tuple[bytes, bytes]]


def end_to_end(lines: Fields, *but: bytes) -> list[tuple[bytes, bytes]]:
    """The fields that a proxy has to pass on as they are, but for some."""
    named = {
        option.strip(b" \t").lower()
        for name, value in lines
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    return [
        (name, value)
        for name, value in lines
        if name.lower() not in {*NOT_PASSED_ON, *named, *but}
    ]


CODING = b"Transfer-Encoding: chunked\r\n"

NAMES = [b"A", b"x-b", b"ACCEPT", b"Cookie", b"Content-Type", b"a_b", b"X-Secret"]
NAMES += [b"Te", b"Keep-Alive", b"Trailer", b"Upgrade", b"Via"]
VALUES = [b"", b"b", b"\xff\x80", b"a b", b"a\tb", b'"', b", ,", b"chunked", b"0"]
OPTIONS = [
    b"close",
    b"keep-alive",
    b"X-Secret",
    b"x-B",
    b"TE",
    b"Upgrade",
    b"Host",
    b"",
]
METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"M-SEARCH", b"get"]
TARGETS = [b"/", b"/a?b=c&_d=e", b"//a", b"/%00", b"http://h/x", b"HTTP://h?x", b"/\\{"]


@st.composite
def http_requests(draw: st.DrawFn) -> bytes:
    """Requests that a server takes, each of which another may follow."""
    lines = [draw(st.sampled_from(METHODS)) + b" " + draw(st.sampled_from(TARGETS))]
    lines[0] += b" HTTP/1.1"
    fields = [b"Host:t"]
    pairs = st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES))
    for name, value in draw(st.lists(pairs, max_size=5)):
        blank = draw(st.sampled_from([b"", b" ", b"\t "]))
        fields.append(name + b":" + blank + value + blank)
    for option in draw(st.lists(st.sampled_from(OPTIONS[1:]), max_size=2)):
        fields.append(b"connection: " + option)
    body = draw(st.sampled_from([b"", b"x", b"\r\n\r\n", HIDDEN, b"y" * 3000]))
    if draw(st.booleans()):
        fields.append(b"Content-Length: 0%d" % len(body))
    elif body or draw(st.booleans()):
        fields.append(b"transfer-encoding: Chunked")
        size = draw(st.integers(1, 3000))
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        end = draw(st.sampled_from([b";a=b", b"", b' ; a="\\""']))
        chunks = [b"0%X%b\r\n%b\r\n" % (len(each), end, each) for each in pieces]
        trailers = draw(st.sampled_from([b"", b"A: b\r\n", b"Content-Length:9\r\n"]))
        body = b"".join(chunks) + b"00\r\n" + trailers + b"\r\n"
    lines += draw(st.permutations(fields))
    return b"\r\n".join([*lines, b"", body])


def cuts() -> st.SearchStrategy[list[int]]:
    """Sizes of the pieces in which something arrives."""
    return st.lists(st.integers(1, 100), max_size=20)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Pieces of these sizes, and the rest."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [each for each in [*pieces, data[at:]] if each]


class RequestTests(ClockCase):
    def arrive(self, pieces: Iterable[bytes], answer: bytes = PLAIN) -> list[Arrived]:
        """The requests that reach the upstream, which answers each; all canonical."""
        with RawEnds(answer) as ends:
            for piece in pieces:
                ends.send(piece)
            ends.leave()
            self.said = ends.received
            return [each for data in ends.arrived for each in judging.requests(data)]

    def expect(self, data: bytes, found: list[Arrived]) -> None:
        """Of requests that our server takes, all must have come, and nothing else."""
        taken, _ = read([data])
        # Only OPTIONS is for all of a server.
        taken = [
            (head, body)
            for head, body in taken
            if head.target != b"*" or head.method == b"OPTIONS"
        ]
        self.assertEqual(len(found), len(taken), (data, found))
        for (head, body), message in zip(taken, found, strict=True):
            method, target = message.first
            self.assertEqual(method, head.method, data)
            self.assertEqual(target, _origin_form(head.target), data)
            self.assertEqual(message.body, body, data)
            passed = message.without(*ADDED, *NOT_PASSED_ON)
            self.assertEqual(passed, end_to_end(head.headers.lines, *ADDED), data)
            self.assertEqual(message.values(b"via")[-1][:4], b"1.1 ", data)

    def test_what_is_taken_arrives_and_means_the_same(self) -> None:
        for data in REQUESTS_TAKEN:
            whole = self.arrive([data])
            self.expect(data, whole)
            status = b"200" if whole else b"400"
            self.assertTrue(self.said.startswith(b"HTTP/1.1 %b " % status), self.said)
            in_bytes = self.arrive(byte_by_byte(data))
            self.assertEqual(_meant(in_bytes), _meant(whole), data)

    def test_however_it_is_cut(self) -> None:
        for data in GOOD:
            if len(data) > 1000:
                continue
            whole = self.arrive([data])
            for at in range(1, len(data)):
                cut = self.arrive([data[:at], data[at:]])
                self.assertEqual(_meant(cut), _meant(whole), (data, at))

    def test_what_is_refused_does_not_arrive(self) -> None:
        for data in REQUESTS_REFUSED:
            for pieces in ([data], byte_by_byte(data)):
                self.assert_nothing_whole(pieces)
            # Behind another, on the same connection.
            found = self.arrive([ASKS + data])
            self.assertEqual([each.first for each in found], [(b"GET", b"/")], data)

    def assert_nothing_whole(self, pieces: Sequence[bytes]) -> None:
        """Nothing arrives, or the beginning of a body that never ends."""
        with RawEnds(PLAIN) as ends:
            for piece in pieces:
                ends.send(piece)
            ends.leave()
            for data in ends.arrived:
                with self.assertRaises(AssertionError, msg=(pieces, data)):
                    judging.requests(data)
                self.assertTrue(_is_cut_short(data), (pieces, data))

    def test_nothing_that_is_hidden_arrives(self) -> None:
        for name, data in HIDING_REQUESTS.items():
            for pieces in ([data], byte_by_byte(data), [data + ASKS]):
                with RawEnds(PLAIN) as ends:
                    for piece in pieces:
                        ends.send(piece)
                    ends.leave()
                    for arrived in ends.arrived:
                        if _is_cut_short(arrived):
                            continue
                        for each in judging.requests(arrived):
                            self.assertNotIn(b"hidden", each.first[1], (name, arrived))

    def test_fields_for_one_connection_go_no_further(self) -> None:
        fields = [
            *(b"Connection: close, X-Secret", b"x-SECRET: a", b"X-Open: b"),
            *(b"Keep-Alive: timeout=5", b"Proxy-Connection: a", b"TE: trailers"),
            *(b"Upgrade: websocket", b"X-Open: c"),
        ]
        (found,) = self.arrive([ASKS[:-2] + b"\r\n".join([*fields, b"", b""])])
        self.assertEqual(
            found.fields,
            [
                (b"Host", b"10.1.2.3:8000"),
                *((b"X-Open", b"b"), (b"X-Open", b"c")),
                (b"Via", b"1.1 nbtwisted-here"),
            ],
        )

    def test_controls_do_not_arrive(self) -> None:
        fields = b"X-Nbtwisted-Delay: 0\r\nx-nbtwisted-KEY: 1\r\n"
        data = START + fields + CODING + b"\r\n1\r\nx\r\n0\r\nX-Nbtwisted-A: b\r\n\r\n"
        for pieces in ([data], byte_by_byte(data)):
            (found,) = self.arrive(pieces)
            names = [name.lower() for name, _ in found.fields]
            self.assertEqual(names, [b"host", b"via", b"transfer-encoding"])
            self.assertEqual(found.trailers, [])
        with RawEnds(PLAIN, controls="none") as ends:
            ends.send(ASKS[:-2] + fields + b"\r\n")
            self.assertIn(fields, ends.arrived[0])

    def test_trailers(self) -> None:
        trailers = b"X-Sum: \xff\r\nContent-Length: 9\r\nHost: evil\r\nX-sum:1\r\n"
        data = CHUNKED + b"1\r\nx\r\n0\r\n" + trailers + b"\r\n"
        for pieces in ([data], byte_by_byte(data), [data + ASKS]):
            found = self.arrive(pieces)
            expected = [(b"X-Sum", b"\xff"), (b"X-sum", b"1")]
            self.assertEqual(found[0].trailers, expected, pieces)

    def test_a_client_that_waits_for_a_100(self) -> None:
        head = START + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
        with RawEnds(PLAIN) as ends:
            ends.send(head)
            self.assertIn(b"\r\nExpect: 100-continue\r\n", ends.arrived[0])
            self.assertEqual(ends.received, b"")
            ends.say(go_on)
            self.assertEqual(ends.received, go_on)
            ends.send(b"ok")
            self.assertTrue(ends.arrived[0].endswith(b"\r\n\r\nok"))
            self.assertTrue(ends.received.startswith(go_on + b"HTTP/1.1 200 OK\r\n"))
        # Some do not wait, and some upstreams answer at once.
        (found,) = self.arrive([head + b"ok"])
        self.assertEqual(found.body, b"ok")
        with RawEnds() as ends:
            ends.send(head)
            ends.say(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
            self.assertTrue(ends.received.startswith(b"HTTP/1.1 417 No\r\n"))
            self.assertIn(b"\r\nConnection: close\r\n", ends.received)
            # What would have been the body is no request.
            ends.send(HIDDEN)
            self.assertEqual(len(ends.arrived), 1)
            self.assertNotIn(b"hidden", ends.arrived[0])

    def test_what_has_passed_here_before(self) -> None:
        for via in (b"1.1 nbtwisted-here", b"1.0 a, 1.1 nbtwisted-here (x)"):
            found = self.arrive([ASKS[:-2] + b"Via: " + via + b"\r\n\r\n"])
            self.assertEqual(found, [])
            self.assertTrue(self.said.startswith(b"HTTP/1.1 508 "), self.said)

    @settings(deadline=None)
    @given(st.lists(http_requests(), min_size=1, max_size=3), cuts())
    def test_any_requests_however_they_are_cut(
        self, requests: list[bytes], sizes: list[int]
    ) -> None:
        data = b"".join(requests)
        taken, status = read([data])
        self.assertEqual((len(taken), status), (len(requests), 0), data)
        found = self.arrive(cut(data, sizes))
        self.expect(data, found)

    @settings(deadline=None)
    @given(st.sampled_from(REQUESTS_TAKEN), st.data())
    def test_with_a_byte_more_or_less(self, data: bytes, draw: st.DataObject) -> None:
        at = draw.draw(st.integers(0, len(data)))
        more = draw.draw(st.sampled_from([b"", b"\r", b"\n", b" ", b"\0", b":", b"0"]))
        changed = data[:at] + more + data[at + draw.draw(st.integers(0, 1)) :]
        with RawEnds(PLAIN) as ends:
            ends.send(changed)
            ends.leave()
            for arrived in ends.arrived:
                if not _is_cut_short(arrived):
                    judging.requests(arrived)


class AnswerTests(ClockCase):
    def reach(
        self, answer: bytes, *, asks: bytes = ASKS, byte_by_byte: bool = False
    ) -> bytes:
        """What the client gets of an answer, behind which the upstream closes."""
        with RawEnds(answer, closes=True, in_bytes=byte_by_byte) as ends:
            ends.send(asks)
            received = ends.received
            self.is_closed = ends.is_closed
        return received

    def test_what_is_taken_reaches_the_client_and_means_the_same(self) -> None:
        for name, data in ANSWERS_TAKEN.items():
            received = self.reach(data)
            self.expect(name, data, received)
            self.expect(name, data, self.reach(data, byte_by_byte=True))

    def expect(self, name: str, data: bytes, received: bytes) -> None:
        *interim, answer = judging.answers(received, "GET", is_closed=self.is_closed)
        meant = read_answer([data])
        assert isinstance(meant, Whole), meant
        status, reason = answer.first
        self.assertEqual(int(status), meant.head.status, name)
        self.assertEqual(reason.decode("latin-1"), meant.head.reason, name)
        self.assertEqual(answer.body, meant.body, name)
        fields = [
            (field.encode("latin-1"), value.encode("latin-1"))
            for field, value in meant.head.headers
        ]
        passed = answer.without(*NOT_PASSED_ON, *ADDED_TO_ANSWERS)
        expected = end_to_end(fields, *ADDED_TO_ANSWERS)
        self.assertEqual(passed, expected, name)
        self.assertIn(b"upstream;dur=", answer.values(b"server-timing")[-1], name)
        for each in interim:
            self.assertIn(each.first[0], (b"100", b"103"), name)
        hints = data.count(b"HTTP/1.1 103")
        self.assertEqual(len([i for i in interim if i.first[0] == b"103"]), hints)

    def test_what_is_none_is_a_502(self) -> None:
        for name, data in BROKEN_ANSWERS.items():
            for in_bytes in (False, True):
                received = self.reach(data, byte_by_byte=in_bytes)
                found = re.findall(rb"(?m)^HTTP/1\.1 (\d+) ", received)
                if found[-1] == b"502":
                    *_, answer = judging.answers(
                        received, "GET", is_closed=self.is_closed
                    )
                    self.assertIn("phase", json.loads(answer.body), name)
                else:
                    # Its head was one: the client is not told that the body is whole.
                    with self.assertRaises(AssertionError, msg=name):
                        judging.answers(received, "GET", is_closed=False)
                    self.assertTrue(self.is_closed, name)

    def test_nothing_behind_an_answer_is_taken_for_another(self) -> None:
        for name, data in SURPLUS.items():
            for in_bytes in (False, True):
                with RawEnds(data, PLAIN, in_bytes=in_bytes) as ends:
                    ends.send(ASKS)
                    ends.send(ASKS)
                    received = ends.received
                self.assertNotIn(b"idden", received, name)
                found = judging.answers(received, "GET", "GET", is_closed=False)
                self.assertEqual(found[-1].body, b"ok", name)
                # On another connection.
                self.assertEqual(len(ends.arrived), 2, name)


def _meant(messages: list[Arrived]) -> list[Any]:
    """What they mean, whatever frames them."""
    return [
        (
            message.first,
            message.without(b"content-length", b"transfer-encoding"),
            message.body,
            message.trailers,
        )
        for message in messages
    ]


def _origin_form(target: bytes) -> bytes:
    match = re.fullmatch(rb"(?i)https?://[^/?#]*(.*)", target)
    if match is None:
        return target
    rest = match[1]
    return rest if rest.startswith(b"/") else b"/" + rest


def _but_for_times(received: bytes) -> bytes:
    return re.sub(rb"dur=[0-9.]+", b"dur=", received)


def _is_cut_short(data: bytes) -> bool:
    """Whether this is the beginning of one request, of which the end has not come."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        return False
    is_chunked = b"\r\nTransfer-Encoding: chunked" in head
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    if is_chunked:
        return not body.endswith(b"0\r\n\r\n")
    return length is not None and len(body) < int(length[1])
