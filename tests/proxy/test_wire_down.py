"""What reaches the client: canonical, and what the upstream meant; or a 502."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.test_reader import OK, Whole
from tests.client.test_reader import read as read_answer
from tests.client.test_reader_and_others import answers
from tests.guard import ClockCase
from tests.proxy import judging
from tests.proxy.passing import ASKS, CODING, NOT_PASSED_ON, PLAIN, end_to_end
from tests.proxy.raw_ends import RawEnds
from tests.proxy.vectors import (
    ANSWERS_TAKEN,
    BROKEN_ANSWERS,
    HIDDEN,
    HIDDEN_ANSWER,
    SURPLUS,
)

ADDED = (b"server-timing", b"date")
"""What answers get on the way, in small letters."""


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
        passed = answer.without(*NOT_PASSED_ON, *ADDED)
        expected = end_to_end(fields, *ADDED)
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

    def test_nothing_that_comes_meanwhile_is_taken_for_another(self) -> None:
        with RawEnds(PLAIN) as ends:
            ends.send(ASKS)
            # Nobody has asked for this.
            ends.say(HIDDEN_ANSWER)
            ends.send(ASKS)
            self.assertNotIn(b"idden", ends.received)
            self.assertEqual(len(ends.arrived), 2)

    def test_the_same_request_has_another_answer_each_time(self) -> None:
        answers = [PLAIN[:-2] + b"%d!" % number for number in range(5)]
        with RawEnds(*answers) as ends:
            for number, answer in enumerate(answers):
                ends.send(ASKS)
                self.assertTrue(ends.received.endswith(answer[-6:]), number)

    def test_what_is_passed_on_as_it_is(self) -> None:
        for name, data in BROKEN_ANSWERS.items():
            with RawEnds(data, closes=True, errors="pass") as ends:
                ends.send(ASKS)
                received = ends.received
                self.assertTrue(ends.is_closed, name)
            if received.startswith(data[:9]) and not received.startswith(OK[:9]):
                self.assertEqual(received, data, name)
            with self.assertRaises(AssertionError, msg=(name, received)):
                judging.answers(received, "GET", is_closed=False)

    def test_a_head_alone(self) -> None:
        for data in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 204 No\r\n\r\n",
            b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ):
            with RawEnds(data, PLAIN) as ends:
                ends.send(b"HEAD" + ASKS[3:])
                ends.send(ASKS)
                head, plain = judging.answers(
                    ends.received, "HEAD", "GET", is_closed=False
                )
                meant = read_answer([b"HTTP/1.1 304" + data[12:]])
                assert isinstance(meant, Whole), meant
                expected = [
                    (name.encode(), value.encode())
                    for name, value in meant.head.headers
                    # Beside a 304 it says nothing of what is on the wire.
                    if name == "Content-Length" and b" 304 " not in data
                ]
                found = [each for each in head.fields if each[0] == b"Content-Length"]
                self.assertEqual(found, expected, data)
                self.assertEqual(plain.body, b"ok", data)

    def test_bodies_of_what_has_none(self) -> None:
        for asks, data in [
            (ASKS, b"HTTP/1.1 204 No\r\nContent-Length: 57\r\n\r\n"),
            (ASKS, b"HTTP/1.1 304 No\r\nContent-Length: 57\r\n\r\n"),
            (b"HEAD" + ASKS[3:], OK + b"Content-Length: 57\r\n\r\n"),
            (b"HEAD" + ASKS[3:], OK + CODING + b"\r\n"),
            (b"HEAD" + ASKS[3:], OK + b"\r\n"),
        ]:
            for in_bytes in (False, True):
                with RawEnds(data + HIDDEN_ANSWER, PLAIN, in_bytes=in_bytes) as ends:
                    ends.send(asks)
                    ends.send(ASKS)
                    self.assertNotIn(b"idden", ends.received)
                    *_, answer = judging.answers(
                        ends.received, asks[:4].strip().decode(), "GET", is_closed=False
                    )
                    self.assertEqual(answer.body, b"ok")

    def test_clients_that_are_older(self) -> None:
        for name, data in ANSWERS_TAKEN.items():
            for field in (b"", b"Connection: keep-alive\r\n"):
                asks = b"GET / HTTP/1.0\r\n" + field + b"\r\n"
                received = self.reach(data, asks=asks)
                meant = read_answer([data])
                assert isinstance(meant, Whole), meant
                self.assertNotIn(b"Transfer-Encoding", received, name)
                # No interim answers either.
                (answer,) = judging.answers(received, "GET", is_closed=self.is_closed)
                self.assertEqual(answer.body, meant.body, name)
                self.assertTrue(self.is_closed or field, name)

    def test_another_protocol(self) -> None:
        asks = ASKS[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        switches = (
            b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        with RawEnds(switches + b"\0early") as ends:
            ends.send(asks + b"\xffat once")
            head, _, rest = ends.received.partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 101 Go\r\n"), head)
            self.assertEqual(rest, b"\0early")
            ends.send(HIDDEN)
            self.assertTrue(ends.arrived[0].endswith(b"\xffat once" + HIDDEN))
            ends.say(HIDDEN_ANSWER)
            self.assertTrue(ends.received.endswith(b"\0early" + HIDDEN_ANSWER))
        # An upstream that does not want it goes on as ever.
        with RawEnds(PLAIN) as ends:
            ends.send(asks)
            ends.send(ASKS)
            judging.answers(ends.received, "GET", "GET", is_closed=False)
            self.assertEqual(len(ends.arrived), 1)
        # What nobody asked for is no answer.
        received = self.reach(switches + HIDDEN_ANSWER)
        self.assertTrue(received.startswith(b"HTTP/1.1 502 "), received)

    @settings(deadline=None)
    @given(answers(), st.booleans())
    def test_any_answers(self, data: bytes, in_bytes: bool) -> None:
        received = self.reach(data, byte_by_byte=in_bytes)
        meant = read_answer([data])
        if isinstance(meant, Whole):
            self.expect(repr(data), data, received)
            return
        try:
            found = judging.answers(received, "GET", is_closed=False)
        except AssertionError:
            self.assertTrue(self.is_closed, data)
        else:
            self.assertEqual(found[-1].first[0], b"502", data)
