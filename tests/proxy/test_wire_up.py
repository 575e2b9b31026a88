"""What reaches the upstream: canonical and as meant, or nothing that is whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.guard import ClockCase
from tests.proxy import judging
from tests.proxy.any_requests import any_requests, cut, cuts
from tests.proxy.judging import Arrived
from tests.proxy.passing import ASKS, CODING, NOT_PASSED_ON, PLAIN, end_to_end
from tests.proxy.raw_ends import RawEnds
from tests.proxy.vectors import (
    HIDDEN,
    HIDING_REQUESTS,
    REQUESTS_REFUSED,
    REQUESTS_TAKEN,
)
from tests.server.test_framing import CHUNKED, GOOD, START, byte_by_byte, read

ADDED = (b"via", b"host")
"""What requests get on the way, in small letters."""


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
                with self.assertRaises(judging.CutShort, msg=(pieces, data)):
                    judging.requests(data)

    def test_nothing_that_is_hidden_arrives(self) -> None:
        for name, data in HIDING_REQUESTS.items():
            for pieces in ([data], byte_by_byte(data), [data + ASKS]):
                with RawEnds(PLAIN) as ends:
                    for piece in pieces:
                        ends.send(piece)
                    ends.leave()
                    for arrived in ends.arrived:
                        for each in _whole(arrived):
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

    def test_names_that_cgi_has_for_others_do_not_arrive(self) -> None:
        fields = b"Content_Length: 9\r\nTransfer_encoding: chunked\r\nA_B: c\r\n"
        (found,) = self.arrive([ASKS[:-2] + fields + b"\r\n"])
        self.assertEqual(found.without(*ADDED), [(b"A_B", b"c")])

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

    def test_an_answer_before_the_end_of_the_request(self) -> None:
        head = START + b"Content-Length: %d\r\n\r\n" % len(HIDDEN)
        for closes in (b"", b"Connection: close\r\n"):
            with RawEnds() as ends:
                ends.send(head + HIDDEN[:5])
                ends.say(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n" + closes + b"\r\n")
                self.assertTrue(ends.received.startswith(b"HTTP/1.1 403 No\r\n"))
                # What follows may be the rest of the body, and may be a request.
                self.assertTrue(ends.is_closed)
                ends.send(HIDDEN[5:] + HIDDEN)
                self.assertEqual(ends.arrived, [ends.arrived[0]])
                self.assertTrue(ends.arrived[0].endswith(b"\r\n\r\n" + HIDDEN[:5]))

    def test_what_has_passed_here_before(self) -> None:
        for via in (b"1.1 nbtwisted-here", b"1.0 a, 1.1 nbtwisted-here (x)"):
            found = self.arrive([ASKS[:-2] + b"Via: " + via + b"\r\n\r\n"])
            self.assertEqual(found, [])
            self.assertTrue(self.said.startswith(b"HTTP/1.1 508 "), self.said)

    @settings(deadline=None)
    @given(st.lists(any_requests(), min_size=1, max_size=3), cuts())
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
                _whole(arrived)


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


def _whole(data: bytes) -> list[Arrived]:
    """The requests, none if one is cut short; raises `AssertionError` for others."""
    try:
        return judging.requests(data)
    except judging.CutShort:
        return []
