"""The judges of what is on the wire, and the vectors, before any proxy sees them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.client.test_reader import Failed, Whole
from tests.client.test_reader import read as read_answer
from tests.proxy.judging import answers, requests
from tests.proxy.vectors import (
    ANSWERS_TAKEN,
    BROKEN_ANSWERS,
    HIDING_REQUESTS,
    REQUESTS_REFUSED,
    REQUESTS_TAKEN,
    SURPLUS,
)
from tests.server.test_framing import read

START = b"POST /a HTTP/1.1\r\nHost: t\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


class JudgingTests(SynchronousTestCase):
    def test_requests(self) -> None:
        one = START + b"A: \xff\r\nEmpty: \r\nContent-Length: 2\r\n\r\nok"
        two = CHUNKED + b"2\r\nok\r\n0\r\nB: c\r\n\r\n"
        first, second, third = requests(one + two + START + b"\r\n")
        self.assertEqual(first.first, (b"POST", b"/a"))
        self.assertEqual(first.values(b"a"), [b"\xff"])
        self.assertEqual((first.body, second.body, third.body), (b"ok", b"ok", b""))
        self.assertEqual(second.trailers, [(b"B", b"c")])

    def test_requests_that_are_not_canonical(self) -> None:
        for data in (
            b"GET / HTTP/1.0\r\nHost: t\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET  / HTTP/1.1\r\nHost: t\r\n\r\n",
            b"\r\n" + START + b"\r\n",
            START + b"Host: t\r\n\r\n",
            START + b"A:b\r\n\r\n",
            START + b"A: b \r\n\r\n",
            START + b"A: b\nC: d\r\n\r\n",
            START + b"A: b\rC: d\r\n\r\n",
            START + b"A: b\r\n c\r\n\r\n",
            START + b"A : b\r\n\r\n",
            START + b"A: \0\r\n\r\n",
            START + b"Content-Length: 02\r\n\r\nok",
            START + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
            START + b"Content-Length: 3\r\n\r\nok",
            START + b"Content-Length: 1\r\n\r\nok",
            START + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            START + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
            START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            START + b"Keep-Alive: a\r\n\r\n",
            START + b"Upgrade: h2c\r\n\r\n",
            START + b"Connection: Content-Length\r\nContent-Length: 0\r\n\r\n",
            CHUNKED + b"2;a\r\nok\r\n0\r\n\r\n",
            CHUNKED + b"02\r\nok\r\n0\r\n\r\n",
            CHUNKED + b"2\r\nok\r\n0\r\n",
            CHUNKED + b"2\r\nok\r\n0\r\nB:c\r\n\r\n",
            CHUNKED + b"2\r\nok0\r\n\r\n",
            CHUNKED + b"0\r\nContent-Length: 9\r\n\r\n",
        ):
            with self.assertRaises(AssertionError, msg=data):
                requests(data)

    def test_answers(self) -> None:
        interim = b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n"
        chunks = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n"
        none = b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n"
        long = OK + b"Content-Length: 9\r\n\r\n"
        found = answers(interim + chunks + none + long, "GET", "GET", "HEAD")
        self.assertEqual(
            [each.first[0] for each in found], [b"103", b"200", b"304", b"200"]
        )
        self.assertEqual([each.body for each in found], [b"", b"ok", b"", b""])
        (closed,) = answers(OK + b"\r\nall of this", "GET")
        self.assertEqual(closed.body, b"all of this")

    def test_answers_that_are_not_canonical(self) -> None:
        for data in (
            b"HTTP/1.0 200 OK\r\n\r\n",
            b"HTTP/1.1 200\r\n\r\n",
            b"HTTP/1.1 099 OK\r\n\r\n",
            b"HTTP/1.1 200 \0\r\n\r\n",
            b"HTTP/1.1 200 OK\n\n",
            OK + b"Content-Length: 1\r\n\r\nok",
            OK + b"Content-Length: 3\r\n\r\nok",
            OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            OK + b"Keep-Alive: 1\r\n\r\n",
            OK + b"Connection: close\r\nConnection: close\r\n\r\n",
            b"HTTP/1.1 103 Early\r\nContent-Length: 0\r\n\r\n" + OK + b"\r\n",
            b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 304 No\r\n\r\nmore",
        ):
            with self.assertRaises(AssertionError, msg=data):
                answers(data, "GET")


class VectorsTests(SynchronousTestCase):
    def test_requests(self) -> None:
        for data in REQUESTS_TAKEN:
            found, status = read([data])
            self.assertEqual((len(found), status), (1, 0), data)
        for data in REQUESTS_REFUSED:
            found, status = read([data])
            self.assertEqual((found, status >= 400), ([], True), data)

    def test_our_server_finds_nothing_that_is_hidden(self) -> None:
        for name, data in HIDING_REQUESTS.items():
            for head, _ in read([data])[0]:
                self.assertNotIn(b"hidden", head.target, name)

    def test_answers(self) -> None:
        for name, data in {**ANSWERS_TAKEN, **SURPLUS}.items():
            self.assertIsInstance(read_answer([data]), Whole, name)
        for name, data in BROKEN_ANSWERS.items():
            self.assertIsInstance(read_answer([data]), Failed, name)
