"""Requests as the spans of a picture."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionRefusedError

from nbtwisted.client.errors import (
    BadURL,
    ConnectFailed,
    DeadlinePassed,
    EmptyResponse,
    Interrupted,
)
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.result import Result
from nbtwisted.client.results.spans import span_of
from nbtwisted.timeline import Phase, Span
from tests.client.in_memory import A_TURN, FILENO, Network
from tests.client.results import URL, attempt, lost, result
from tests.guard import ClockCase


def answered(*headers: tuple[str, str], **more: Any) -> Result:
    return result(attempt(*headers, began=100.0, **more))


def phases(span: Span | None) -> dict[str, float]:
    assert span is not None
    return {phase.name: phase.seconds for phase in span.phases}


def made(of: Result) -> Span:
    span = span_of(1, of)
    assert span is not None
    return span


class SpanTests(ClockCase):
    def test_an_answer(self) -> None:
        span = made(answered())
        self.assertEqual((span.number, span.label, span.began), (1, URL, 99.5))
        self.assertEqual((span.outcome, span.failed, span.size), ("200", False, 4))
        self.assertEqual(
            phases(span),
            {
                "queued": 0.5,
                "dns": 0.125,
                "connect": 0.25,
                # That is in no other phase.
                "send": 0.125,
                "wait": 2.0,
                "receive": 0.5,
            },
        )
        self.assertEqual((span.seconds, span.ended), (3.0, 103.0))

    def test_a_pace_and_a_tunnel(self) -> None:
        span = made(
            result(
                attempt(began=100.0, paced=0.125, then="retry", status=503, waited=1.0),
                attempt(began=108.0, paced=2.0, proxy=4.0),
            )
        )
        first, second = span.attempts
        # What the first waited for its pace was a part of its time in the queue.
        self.assertEqual(
            [(phase.name, phase.seconds) for phase in first.phases[:3]],
            [("queued", 0.375), ("paced", 0.125), ("dns", 0.125)],
        )
        # The pause is followed by what else was waited.
        self.assertEqual(first.phases[-1], Phase("pause", 3.0))
        self.assertEqual(
            [(phase.name, phase.seconds) for phase in second.phases[:4]],
            [("paced", 2.0), ("dns", 0.125), ("connect", 0.25), ("proxy", 4.0)],
        )
        self.assertEqual((span.began, span.seconds, span.ended), (99.5, 15.0, 115.0))
        self.assertEqual([mark.at for mark in span.marks], [3.5])

    def test_an_upstream_is_told_apart(self) -> None:
        timing = ("Server-Timing", "upstream;dur=1250, asked;dur=500, held;dur=500.5")
        span = made(answered(timing))
        found = phases(span)
        self.assertEqual((found["held"], found["upstream"]), (0.5005, 1.25))
        self.assertAlmostEqual(found["wait"], 2.0 - 1.7505)
        only = span.attempts[0]
        self.assertEqual((only.asked, only.held, only.upstream), (0.5, 0.5005, 1.25))
        # No more than the wait, as of what the server held.
        span = made(answered(("Server-Timing", "upstream;dur=9000, held;dur=500")))
        found = phases(span)
        self.assertEqual((found["held"], found["upstream"]), (0.5, 1.5))
        self.assertNotIn("wait", found)
        self.assertEqual(span.attempts[0].upstream, 9.0)

    def test_what_the_server_held_is_told_apart(self) -> None:
        span = made(answered(("Server-Timing", "asked;dur=1500, held;dur=1750")))
        self.assertEqual((phases(span)["held"], phases(span)["wait"]), (1.75, 0.25))
        self.assertEqual((span.attempts[0].asked, span.attempts[0].held), (1.5, 1.75))

    def test_a_server_whose_clock_disagrees(self) -> None:
        span = made(answered(("Server-Timing", "held;dur=9000")))
        self.assertEqual(phases(span)["held"], 2.0)
        self.assertNotIn("wait", phases(span))
        # What it says is kept, for who wants to know.
        self.assertEqual(span.attempts[0].held, 9.0)
        self.assertEqual(span.seconds, 3.0)

    def test_an_unfinished_phase_has_the_rest(self) -> None:
        unreached = dict.fromkeys(("dns", "connect", "send", "wait", "receive"))
        for name, url, reached in (
            ("dns", URL, ()),
            ("connect", URL, ("dns",)),
            ("wait", URL, ("dns", "connect")),
            ("tls", "https://h/", ("dns", "connect")),
            ("wait", "https://h/", ("dns", "connect", "tls")),
        ):
            times = {**unreached, **dict.fromkeys(reached, 0.5)}
            ended = lost(url=url, began=100.0, rest=1.5, **times)
            span = made(ended)
            self.assertEqual(phases(span)[name], 1.5, (name, url))
            self.assertEqual((span.failed, span.outcome), (True, "body"))
            self.assertEqual([mark.name for mark in span.marks], ["error"])

    def test_an_unfinished_phase_of_a_connection_that_was_there(self) -> None:
        ended = lost(
            url="https://h/", began=100.0, is_reused=True, send=None, wait=None, rest=3
        )
        self.assertEqual(phases(made(ended)), {"queued": 0.5, "wait": 3.5})

    def test_what_was_never_begun_has_none(self) -> None:
        never = Result(URL, error=Interrupted("cancelled before it was sent"))
        self.assertIsNone(span_of(1, never))

    def test_a_url_that_cannot_be_read_took_no_time(self) -> None:
        error = BadURL("no host")
        span = made(
            Result("http://\x1b[31m", error=error, began=100.0, ended_at=100.001)
        )
        self.assertEqual((span.seconds, span.outcome), (0.0, "url"))
        self.assertEqual((span.failed, span.attempts[0].message), (True, "no host"))
        # And is fit for a screen.
        self.assertEqual(span.label, "http://\\x1b[31m")

    def test_a_long_url_is_cut(self) -> None:
        span = made(answered(url="http://h/" + "x" * 5000))
        self.assertEqual(len(span.label), 200)


class UnderWayTests(ClockCase):
    """One that is under way has no outcome yet."""

    def test_waiting(self) -> None:
        waiting = attempt(began=100.0, status=None, wait=None)
        waiting.ended_at = None
        so_far = Result(URL, (waiting,), began=100.0, queued=0.5, ended_at=102.5)
        span = made(so_far)
        self.assertEqual((span.outcome, span.failed, span.size), ("", False, None))
        self.assertEqual(list(span.marks), [])
        self.assertEqual(phases(span)["wait"], 2.125)
        self.assertEqual((span.began, span.ended), (99.5, 102.5))

    def test_receiving(self) -> None:
        receiving = attempt(("Server-Timing", "held;dur=1500"), began=100.0)
        receiving.ended_at = None
        so_far = Result(URL, (receiving,), began=100.0, ended_at=105.0)
        self.assertIsNone(so_far.response)
        span = made(so_far)
        self.assertEqual((span.outcome, span.failed, span.size), ("", False, None))
        self.assertEqual(phases(span)["receive"], 2.5)
        self.assertEqual(phases(span)["held"], 1.5)

    def test_before_the_first_attempt(self) -> None:
        span = made(Result(URL, began=100.0, queued=0.5, ended_at=100.0))
        self.assertEqual((span.outcome, phases(span)), ("", {"queued": 0.5}))

    def test_between_two_attempts(self) -> None:
        past = attempt(began=100.0, status=503, then="retry", waited=9.0)
        span = made(Result(URL, (past,), began=100.0, ended_at=103.75))
        self.assertEqual([each.outcome for each in span.attempts], ["503", ""])
        self.assertEqual(phases(span)["pause"], 0.75)
        self.assertEqual(span.ended, 103.75)


class ManyAttemptsTests(ClockCase):
    def made(self, number: int) -> Span:
        past = [
            attempt(began=100.0 + 4 * n, status=503, then="retry", waited=1.0)
            for n in range(number)
        ]
        return made(result(*past, attempt(began=100.0 + 4 * number)))

    def test_only_the_first_was_in_the_queue(self) -> None:
        queued = [p for p in self.made(3).phases if p.name == "queued"]
        self.assertEqual([phase.seconds for phase in queued], [0.5])

    def test_the_pause_goes_on_until_the_next_attempt(self) -> None:
        pauses = [p.seconds for p in self.made(3).phases if p.name == "pause"]
        self.assertEqual(pauses, [1.0, 1.0, 1.0])

    def test_the_first_and_the_last_of_a_great_many(self) -> None:
        few, many = self.made(19), self.made(1000)
        self.assertEqual((len(few.attempts), len(many.attempts)), (20, 20))
        between = many.attempts[9]
        self.assertEqual(
            (between.outcome, few.attempts[9].outcome), ("982 more", "503")
        )
        self.assertEqual((between.url, between.ended_by), (URL, "retry"))
        self.assertEqual([phase.name for phase in between.phases], ["pause"])
        # It took as long as it took, and ends when it ended.
        self.assertAlmostEqual(many.seconds, 4003.0)

    def test_how_each_ended(self) -> None:
        span = made(
            result(
                attempt(began=100.0, status=302, then="redirect"),
                attempt(
                    began=103.0, status=None, then="resend", error=EmptyResponse("gone")
                ),
                attempt(
                    began=106.0, status=None, then="retry", error=ConnectFailed("no")
                ),
                attempt(began=109.0, status=503, then="retry"),
                error=DeadlinePassed("5 s passed"),
            )
        )
        self.assertEqual(
            [(each.outcome, each.ended_by, each.message) for each in span.attempts],
            [
                ("302", "redirect", ""),
                ("first byte", "resend", "gone"),
                ("connect", "error", "no"),
                ("503", "retry", ""),
                ("deadline", "error", "5 s passed"),
            ],
        )
        self.assertEqual((span.resent, span.outcome), (1, "deadline"))


class SeveralAttemptsTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.network = Network()

    def ends(self, deferred: Any) -> Result:
        results: list[Any] = []
        deferred.addErrback(lambda failure: failure.value).addCallback(results.append)
        self.network.advance(A_TURN)
        ended: Result = results[0].result
        return ended

    def test_a_retry_is_a_part_of_its_request(self) -> None:
        getter = self.network.getter(retries=Retries(1, 2.0), draw=lambda: 0.5)
        request = getter.request(URL, queued_at=-0.5)
        ended: list[Result] = []
        request.start(lambda _, result: ended.append(result))
        self.network.refuse(ConnectionRefusedError())
        self.network.advance(0.25)
        # While it waits to try again, nothing else is going on.
        so_far = made(request.so_far())
        self.assertEqual(len(so_far.attempts), 2)
        self.assertEqual(so_far.outcome, "")
        self.assertEqual(phases(so_far), {"queued": 0.5, "pause": 0.25})
        self.network.advance(0.75)
        connection = self.network.accept()
        connection.take_request()
        self.network.advance(2)
        so_far = made(request.so_far())
        self.assertEqual(so_far.attempts[-1].fileno, FILENO)
        self.assertEqual(so_far.attempts[-1].phases[-1].name, "wait")
        self.assertEqual(so_far.ended, self.network.seconds())
        connection.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.network.advance(A_TURN)
        span = made(ended[0])
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

    def test_a_retry_that_waits_for_its_pace(self) -> None:
        # Since 103, a second of which was a pause.
        past = attempt(began=100.0, then="retry", status=503, waited=1.0)
        for until, waited in (
            (103.5, {"pause": 0.5}),
            (104.0, {"pause": 1.0}),
            (106.0, {"pause": 1.0, "paced": 2.0}),
        ):
            so_far = Result(URL, (past,), None, 100.0, 0.0, until)
            found = phases(made(so_far))
            around = {name: found[name] for name in ("pause", "paced") if name in found}
            self.assertEqual(around, waited)
        # What a redirect waits for is a place at its host, mostly.
        moved = attempt(began=100.0, then="redirect", status=302)
        found = phases(made(Result(URL, (moved,), None, 100.0, 0.0, 106.0)))
        self.assertEqual((found["pause"], "paced" in found), (3.0, False))

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
