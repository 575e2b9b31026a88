"""Requests as the spans of a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.error import ConnectionRefusedError

from nbtwisted.client.errors import BadURL, ConnectionLost, Interrupted
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.response import Answer, Head, PastAttempt, Timing
from nbtwisted.client.results.spans import span_of, span_so_far
from nbtwisted.timeline import Span
from tests.client.in_memory import A_TURN, FILENO, Network
from tests.guard import ClockCase

TIMING = Timing(
    started=100.0,
    queued=0.5,
    dns=0.125,
    connect=0.25,
    tls=None,
    wait=2.0,
    receive=0.5,
    total=3.0,
)
URL = "http://10.0.0.1/a"


def answer(*headers: tuple[str, str], timing: Timing = TIMING) -> Answer:
    head = Head("1.1", 200, "OK", headers)
    return Answer(
        URL, 7, head, b"", b"body", timing, request=b"GET /a HTTP/1.1\r\n\r\n"
    )


def lost(timing: Timing, url: str = URL) -> ConnectionLost:
    error = ConnectionLost("it broke")
    error.url, error.timing, error.request = url, timing, b"GET / HTTP/1.1\r\n\r\n"
    return error


def phases(span: Span | None) -> dict[str, float]:
    assert span is not None
    return {phase.name: phase.seconds for phase in span.phases}


def made(outcome: Any) -> Span:
    span = span_of(1, outcome)
    assert span is not None
    return span


class SpanTests(ClockCase):
    def test_an_answer(self) -> None:
        span = made(answer())
        self.assertEqual((span.number, span.label, span.began), (1, URL, 99.5))
        self.assertEqual((span.outcome, span.failed, span.size), ("200", False, 4))
        self.assertEqual(
            phases(span),
            {
                "queued": 0.5,
                "dns": 0.125,
                "connect": 0.25,
                # What is in no other phase was spent on sending.
                "send": 0.125,
                "wait": 2.0,
                "receive": 0.5,
            },
        )
        self.assertEqual((span.seconds, span.ended), (3.0, 103.0))

    def test_what_the_server_held_is_told_apart(self) -> None:
        span = made(answer(("Server-Timing", "asked;dur=1500, held;dur=1750")))
        self.assertEqual((phases(span)["held"], phases(span)["wait"]), (1.75, 0.25))
        self.assertEqual((span.attempts[0].asked, span.attempts[0].held), (1.5, 1.75))

    def test_a_server_whose_clock_disagrees(self) -> None:
        span = made(answer(("Server-Timing", "held;dur=9000")))
        self.assertEqual(phases(span)["held"], 2.0)
        self.assertNotIn("wait", phases(span))
        # What it says is kept, for who wants to know.
        self.assertEqual(span.attempts[0].held, 9.0)
        self.assertEqual(span.seconds, 3.0)

    def test_an_unfinished_phase_has_the_rest(self) -> None:
        nothing = replace(TIMING, dns=None, connect=None, wait=None, receive=None)
        for timing, url, name, seconds in (
            (nothing, URL, "dns", 3.0),
            (replace(nothing, dns=0.5), URL, "connect", 2.5),
            (replace(nothing, dns=0.5, connect=1.0), URL, "wait", 1.5),
            (replace(nothing, dns=0.5, connect=1.0), "https://h/", "tls", 1.5),
            (replace(nothing, dns=0.0, connect=0.0, tls=0.0), "https://h/", "wait", 3),
        ):
            span = made(lost(timing, url))
            self.assertEqual(phases(span)[name], seconds, (timing, url))
            self.assertEqual((span.failed, span.outcome), (True, "body"))
            self.assertEqual([mark.name for mark in span.marks], ["error"])

    def test_what_was_never_begun_has_none(self) -> None:
        self.assertIsNone(span_of(1, Interrupted("cancelled before it was sent")))

    def test_a_url_that_cannot_be_read_took_no_time(self) -> None:
        error = BadURL("no host")
        error.url = "http://\x1b[31m"
        error.timing = replace(
            TIMING, dns=None, connect=None, wait=None, receive=None, total=0.001
        )
        span = made(error)
        self.assertEqual((span.seconds, span.outcome), (0.0, "url"))
        # And is fit for a screen.
        self.assertEqual(span.label, "http://\\x1b[31m")

    def test_a_long_url_is_cut(self) -> None:
        span = made(replace(answer(), url="http://h/" + "x" * 5000))
        self.assertEqual(len(span.label), 200)


class ManyAttemptsTests(ClockCase):
    def past(self, number: int) -> PastAttempt:
        timing = replace(TIMING, started=100.0 + 4 * number, queued=0.0)
        head = Head("1.1", 503, "", ())
        return PastAttempt(URL, 7, head, None, None, timing, b"", 0, "retry", 1.0)

    def made(self, number: int) -> Span:
        history = tuple(self.past(n) for n in range(number))
        timing = replace(TIMING, earlier=4.0 * number, total=4.0 * number + 3)
        return made(replace(answer(timing=timing), history=history))

    def test_only_the_first_was_in_the_queue(self) -> None:
        queued = [p for p in self.made(3).phases if p.name == "queued"]
        self.assertEqual([phase.seconds for phase in queued], [0.5])

    def test_the_first_and_the_last_of_a_great_many(self) -> None:
        few, many = self.made(19), self.made(1000)
        self.assertEqual((len(few.attempts), len(many.attempts)), (20, 20))
        between = many.attempts[9]
        self.assertEqual(
            (between.outcome, few.attempts[9].outcome), ("982 more", "503")
        )
        # It took as long as it took, and ends when it ended.
        self.assertAlmostEqual(many.seconds, 4003.0)


class SeveralAttemptsTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.network = Network()

    def ends(self, deferred: Any) -> Any:
        results: list[Any] = []
        deferred.addErrback(lambda failure: failure.value).addCallback(results.append)
        self.network.advance(A_TURN)
        return results[0]

    def test_a_retry_is_a_part_of_its_request(self) -> None:
        getter = self.network.getter(retries=Retries(1, 2.0), draw=lambda: 0.5)
        request = getter.request(URL, queued_at=-0.5)
        done = request.start()
        self.network.refuse(ConnectionRefusedError())
        self.network.advance(0.25)
        # While it waits to try again, nothing else is going on.
        so_far = span_so_far(3, request.so_far())
        self.assertEqual(len(so_far.attempts), 2)
        self.assertEqual(so_far.outcome, "")
        self.assertEqual(phases(so_far), {"queued": 0.5, "pause": 0.25})
        self.network.advance(0.75)
        connection = self.network.accept()
        connection.take_request()
        self.network.advance(2)
        so_far = span_so_far(3, request.so_far())
        self.assertEqual(so_far.attempts[-1].fileno, FILENO)
        self.assertEqual(so_far.attempts[-1].phases[-1].name, "wait")
        self.assertEqual(so_far.ended, self.network.seconds())
        connection.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.network.advance(A_TURN)
        span = made(self.ends(done))
        self.assertEqual([a.outcome for a in span.attempts], ["connect", "200"])
        self.assertEqual([(m.name, m.at) for m in span.marks], [("error", 0.5)])
        self.assertIn("10.0.0.1 port 80", span.attempts[0].message)
        self.assertAlmostEqual(phases(span)["pause"], 1.0)
        self.assertAlmostEqual(phases(span)["wait"], 2.0)
        self.assertAlmostEqual(span.began, -0.5)
        self.end(getter)

    def test_a_redirect(self) -> None:
        getter = self.network.getter(max_redirects=5)
        done = getter.get(URL)
        connection = self.network.accept()
        connection.take_request()
        self.network.advance(1)
        connection.answer(
            b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n"
            b"Server-Timing: held;dur=750\r\n\r\n"
        )
        connection.take_request()
        self.network.advance(2)
        connection.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        span = made(self.ends(done))
        first, second = span.attempts
        self.assertEqual((first.url, first.outcome), (URL, "302"))
        self.assertEqual((first.ended_by, first.held), ("redirect", 0.75))
        self.assertEqual((second.url, second.ended_by), ("http://10.0.0.1/b", None))
        self.assertEqual(span.label, URL)
        self.assertAlmostEqual(span.seconds, 3.0)
        self.end(getter)

    def test_stopped_in_a_pause(self) -> None:
        getter = self.network.getter(retries=Retries(1, 100.0), draw=lambda: 0.1)
        done = getter.get(URL)
        self.network.advance(1.5)
        self.network.refuse(ConnectionRefusedError())
        self.network.advance(4)
        done.cancel()
        span = made(self.ends(done))
        self.assertEqual([a.outcome for a in span.attempts], ["connect", "interrupted"])
        # The pause goes on to the end, and what ended the request is there.
        self.assertEqual(phases(span), {"connect": 1.5, "pause": 4.0})
        self.assertEqual([mark.at for mark in span.marks], [1.5, 5.5])
        self.end(getter)

    def end(self, getter: Any) -> None:
        getter.close()
        self.network.advance(A_TURN)
