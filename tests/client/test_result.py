"""How a request ended: its attempts, its response, and its times."""

from __future__ import annotations

from typing import Any

from nbtwisted.client.errors import ConnectFailed, EmptyResponse, Interrupted
from nbtwisted.client.job import Job
from nbtwisted.client.message import Message
from nbtwisted.client.result import Attempt, Response, Result, Timing
from tests.client.results import MESSAGE, URL, attempt, lost, result
from tests.guard import ClockCase


class ResponseTests(ClockCase):
    def test_what_came_back(self) -> None:
        ended = result(attempt(("A", "b"), url="http://h/b"), url="http://h/a")
        response = ended.response
        assert response is not None
        self.assertIs(response.result, ended)
        self.assertEqual((response.url, response.fileno), ("http://h/b", 7))
        self.assertEqual((response.status, response.reason), (200, "OK"))
        self.assertEqual(response.http_version, "1.1")
        self.assertEqual(response.headers, (("A", "b"),))
        self.assertEqual(response.raw, b"HTTP/1.1 200 OK\r\n\r\nbody")
        self.assertEqual(response.body, b"body")
        self.assertEqual(response.timing, ended.timing)

    def test_there_is_none_where_there_is_an_error(self) -> None:
        self.assertIsNone(lost(status=200).response)
        # Such as one redirect too many.
        self.assertIsNone(result(attempt(status=302), error=Interrupted()).response)

    def test_nor_where_it_has_not_ended(self) -> None:
        for ended in (
            Result(URL),
            Result(URL, (attempt(then="retry", status=503),), began=1.0, ended_at=9.0),
            Result(URL, (Attempt(URL, False, MESSAGE, 1.0),), began=1.0, ended_at=9.0),
        ):
            self.assertIsNone(ended.response)

    def test_of_what_is_not_answered_nobody_makes_one(self) -> None:
        with self.assertRaises(AssertionError):
            Response(Result(URL))


class ResultTests(ClockCase):
    def test_attempts_of_all_kinds(self) -> None:
        refused: dict[str, Any] = {"status": None, "error": ConnectFailed("no")}
        stale: dict[str, Any] = {"status": None, "error": EmptyResponse("stale")}
        ended = result(
            attempt(url="http://h/1", status=302, then="redirect"),
            attempt(url="http://h/2", then="resend", **stale),
            attempt(url="http://h/2", then="retry", **refused),
            attempt(url="http://h/2", then="retry", status=503),
            attempt(url="http://h/2"),
            url="http://h/",
        )
        self.assertEqual((ended.tries, ended.resent), (3, 1))
        self.assertEqual((ended.url, ended.effective_url), ("http://h/", "http://h/2"))
        self.assertEqual((*ended.earlier, ended.last), ended.attempts)
        statuses = [each.status for each in ended.attempts]
        self.assertEqual(statuses, [302, None, None, 503, 200])

    def test_stopped_between_two_attempts(self) -> None:
        ended = result(attempt(then="retry", status=503, waited=1.5))
        self.assertEqual((ended.last, ended.earlier), (None, ended.attempts))
        self.assertEqual((ended.tries, ended.resent), (2, 0))

    def test_never_begun(self) -> None:
        never = Result(URL, error=Interrupted("cancelled before it was sent"))
        self.assertEqual((never.last, never.earlier, never.timing), (None, (), None))
        self.assertEqual((never.effective_url, never.tries), (URL, 1))
        self.assertIsNone(never.method)
        self.assertEqual(Result(URL, job=Job(URL, "HEAD")).method, "HEAD")

    def test_what_was_sent(self) -> None:
        sent = attempt(message=Message(b"PUT / HTTP/1.1\r\n\r\n", b"body"))
        self.assertEqual(sent.request, b"PUT / HTTP/1.1\r\n\r\nbody")

    def test_the_head_before_an_error_has_no_status(self) -> None:
        self.assertIsNone(attempt(status=200, error=EmptyResponse()).status)


class TimingTests(ClockCase):
    def phases(self, timing: Timing | None) -> tuple[Any, ...]:
        assert timing is not None
        return (timing.dns, timing.connect, timing.tls, timing.wait, timing.receive)

    def opening(self, timing: Timing | None) -> tuple[Any, ...]:
        assert timing is not None
        return (timing.dns, timing.connect, timing.proxy, timing.tls)

    def test_an_attempt(self) -> None:
        whole = attempt(url="https://h/", began=100.0, tls=0.75)
        timing = whole.timing
        self.assertEqual((timing.started, timing.queued, timing.total), (100, 0, 3.75))
        self.assertEqual(self.phases(timing), (0.125, 0.25, 0.75, 2.0, 0.5))
        # The moment is for those that are under way.
        self.assertEqual(whole.timing_until(999.0), timing)

    def test_a_connection_that_was_there_took_no_time(self) -> None:
        for url, tls in (("http://h/", None), ("https://h/", 0.0)):
            reused = attempt(url=url, is_reused=True)
            self.assertEqual(self.phases(reused.timing), (0.0, 0.0, tls, 2.0, 0.5))

    def test_a_tunnel_is_made_before_the_handshake_in_it(self) -> None:
        secured = attempt(url="https://h/", proxy=0.5, tls=0.75)
        self.assertEqual(self.opening(secured.timing), (0.125, 0.25, 0.5, 0.75))
        plain = attempt(url="http://h/", proxy=0.5)
        self.assertEqual(self.opening(plain.timing), (0.125, 0.25, 0.5, None))
        self.assertEqual(plain.timing.total, 3.5)
        # There was no time between being connected and being tunnelled.
        self.assertEqual(self.opening(attempt().timing), (0.125, 0.25, None, None))
        reused = attempt(url="https://h/", is_tunnelled=True, is_reused=True)
        self.assertEqual(self.opening(reused.timing), (0.0, 0.0, 0.0, 0.0))

    def test_the_time_of_what_was_not_finished(self) -> None:
        nothing = dict.fromkeys(("dns", "connect", "send", "wait", "receive"))
        times: dict[str, Any] = {"url": "https://h/", "status": None, **nothing}
        times["is_tunnelled"] = True
        for reached, unfinished in (
            ({}, "dns"),
            ({"dns": 1.0}, "connect"),
            ({"connect": 2.0}, "proxy"),
            ({"proxy": 4.0}, "tls"),
            ({"tls": 8.0}, "wait"),
            ({"send": 1.0, "wait": 1.0}, "send"),
        ):
            times |= reached
            is_whole = times["wait"] is not None
            timing = attempt(**times, rest=0.0 if is_whole else 9.0).timing
            spent_on = timing.rest(is_tls=True, is_tunnelled=True)
            self.assertEqual(spent_on, (unfinished, 1.0 if is_whole else 9.0))
        timing = attempt(url="https://h/", tls=None, send=None, wait=None).timing
        self.assertEqual(timing.rest(is_tls=True, is_tunnelled=False)[0], "tls")

    def test_each_attempt_waits_for_its_own_pace(self) -> None:
        ended = result(
            attempt(began=100.0, paced=0.25, then="retry", status=503),
            attempt(began=104.0, paced=1.0),
        )
        timing = ended.timing
        assert timing is not None
        # That of the first is a part of the time in the queue.
        self.assertEqual((timing.queued, timing.paced, timing.total), (0.5, 1.0, 7.0))
        first, second = ended.attempts
        self.assertEqual((first.timing.paced, first.timing.queued), (0.25, 0.0))
        self.assertEqual((second.timing.paced, second.timing.total), (1.0, 3.0))
        between = result(attempt(paced=0.25, then="retry", status=503)).timing
        assert between is not None
        self.assertEqual(between.paced, 0.0)

    def test_what_was_not_reached(self) -> None:
        nothing = dict.fromkeys(("dns", "connect", "send", "wait", "receive"))
        times: dict[str, Any] = {"url": "https://h/", "status": None, **nothing}
        for reached, phases in (
            ({}, (None, None, None, None, None)),
            ({"dns": 1.0}, (1.0, None, None, None, None)),
            ({"dns": 1.0, "connect": 2.0}, (1.0, 2.0, None, None, None)),
            ({"dns": 1.0, "connect": 2.0, "tls": 3.0}, (1.0, 2.0, 3.0, None, None)),
            ({"dns": 1.0, "connect": 2.0, "send": 1.0}, (1.0, 2.0, None, None, None)),
        ):
            stopped = attempt(**{**times, **reached}, rest=9.0)
            self.assertEqual(self.phases(stopped.timing), phases)

    def test_a_response_that_begins_before_all_was_sent(self) -> None:
        early = attempt(send=None, wait=2.0)
        self.assertEqual(early.timing.wait, 0.0)

    def test_a_clock_that_is_read_out_of_order(self) -> None:
        early = attempt(began=100.0)
        early.sent_at = 200.0
        self.assertEqual(early.timing.wait, 0.0)

    def test_under_way(self) -> None:
        under_way = attempt(began=100.0, dns=1.0, connect=None, send=None, wait=None)
        under_way.ended_at = None
        with self.assertRaises(AssertionError):
            _ = under_way.timing
        timing = under_way.timing_until(103.0)
        self.assertEqual((timing.dns, timing.total), (1.0, 3.0))
        so_far = Result(URL, (under_way,), began=99.0, queued=0.5, ended_at=103.0)
        assert so_far.timing is not None
        self.assertEqual((so_far.timing.dns, so_far.timing.total), (1.0, 4.0))

    def test_the_phases_of_the_last_in_the_time_of_all(self) -> None:
        ended = result(
            attempt(began=100.0, then="retry", status=503, waited=1.0),
            attempt(began=104.0, wait=7.0),
        )
        timing = ended.timing
        assert timing is not None
        self.assertEqual((timing.started, timing.queued), (100.0, 0.5))
        self.assertEqual((timing.wait, timing.total), (7.0, 12.0))

    def test_between_two_attempts_there_are_none(self) -> None:
        ended = result(attempt(began=100.0, then="retry", status=503, waited=1.5))
        self.assertEqual(self.phases(ended.timing), (None,) * 5)
        assert ended.timing is not None
        self.assertEqual(ended.timing.total, 4.5)
