"""Many requests at once, on a network in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from nbtwisted.client.errors import BadJob, BadURL, Interrupted
from nbtwisted.client.job import Job
from nbtwisted.client.many import gathering
from nbtwisted.client.many.gathering import MOST_MARKED, gather, get_all
from nbtwisted.client.many.job_list import Given
from nbtwisted.client.result import Response, Result
from tests.client.in_memory import A_TURN, Network
from tests.client.state_table import moves_in, named
from tests.guard import ClockCase

WHOLE = b"HTTP/1.1 %d OK\r\nContent-Length: 0\r\n\r\n"
ABC = ["http://10.0.0.1/", "http://10.0.0.2/", "http://10.0.0.3/"]


class GatheringCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.network = Network()
        self.clock = self.network
        self.delivered: list[tuple[int, Result]] = []

    def gather(self, urls: list[str], concurrency: int, **more: Any) -> Deferred[None]:
        return gather(
            self.network.getter(),
            Given(urls),
            concurrency=concurrency,
            deliver=lambda *what: self.delivered.append(what),
            **more,
        )

    def answer(self, number: int, status: int = 200) -> None:
        """Answer an attempt, and close its connection."""
        connection = self.network.accept(number)
        connection.take_request()
        connection.answer(WHOLE % status)
        connection.finish()

    def send_to_the_second(self, number: int) -> None:
        """Redirect an attempt to the host of the second URL, and close."""
        connection = self.network.accept(number)
        connection.take_request()
        connection.answer(
            b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n"
            b"Location: http://10.0.0.2/x\r\n\r\n"
        )
        connection.finish()

    def ended(self) -> list[tuple[int, Any]]:
        return [
            (index, result.response.status if result.response else type(result.error))
            for index, result in self.delivered
        ]


class GatherTests(GatheringCase):
    def test_no_more_at_once_than_asked_for(self) -> None:
        gathered = self.gather([f"http://10.0.0.{n}/" for n in range(5)], 2)
        self.assertEqual(len(self.network.attempts), 2)
        self.answer(1, 201)
        self.assertEqual(len(self.network.attempts), 3)
        self.answer(0, 200)
        self.answer(2, 202)
        self.assertEqual(len(self.network.attempts), 5)
        self.answer(4, 204)
        self.assertNoResult(gathered)
        self.answer(3, 203)
        self.successResultOf(gathered)
        self.assertEqual(
            self.ended(), [(1, 201), (0, 200), (2, 202), (4, 204), (3, 203)]
        )

    def test_what_was_waited_for_in_the_queue(self) -> None:
        self.gather(ABC[:2], 1)
        self.network.advance(7)
        self.answer(0)
        self.answer(1)
        queued = [
            result.timing.queued
            for _, result in self.delivered
            if result.timing is not None
        ]
        self.assertEqual(queued, [0, 7])

    def test_a_failure_stops_nothing(self) -> None:
        gathered = self.gather(["ftp://x", *ABC[:1], "http://"], 1)
        self.answer(0)
        self.successResultOf(gathered)
        self.assertEqual(self.ended(), [(0, BadURL), (1, 200), (2, BadURL)])

    def test_ten_thousand_that_fail_at_once(self) -> None:
        # Nothing here may recurse.
        self.successResultOf(self.gather(["http://"] * 10_000, 50))
        self.assertEqual(len(self.delivered), 10_000)

    def test_what_is_no_job(self) -> None:
        bad = BadJob("line 1: unknown key 'x'", shown="line 1")
        jobs = Given([bad, Job(ABC[0], "POST", body=b"x"), ABC[1], bad])
        gathered = gather(
            self.network.getter(),
            jobs,
            concurrency=1,
            per_host=1,
            deliver=lambda *what: self.delivered.append(what),
        )
        self.answer(0)
        gathered.cancel()
        self.successResultOf(gathered)
        self.assertEqual(
            self.ended(),
            [(0, BadJob), (1, 200), (2, Interrupted), (3, Interrupted)],
        )
        jobs_of = [result.job for _, result in self.delivered]
        self.assertEqual(
            [job and job.method for job in jobs_of], [None, "POST", "GET", None]
        )
        self.assertEqual(self.delivered[3][1].url, "line 1")

    def test_no_urls(self) -> None:
        self.successResultOf(self.gather([], 5))

    def test_cancelled(self) -> None:
        gathered = self.gather(ABC, 2)
        connection = self.network.accept(0)
        gathered.cancel()
        self.assertEqual(self.ended(), [(1, Interrupted)])
        connection.finish()
        self.successResultOf(gathered)
        # The third was not begun.
        self.assertEqual(len(self.network.attempts), 2)
        self.assertEqual(
            self.ended(), [(1, Interrupted), (0, Interrupted), (2, Interrupted)]
        )
        _, never_sent = self.delivered[2]
        self.assertEqual((never_sent.url, never_sent.timing), (ABC[2], None))

    def test_none_at_once(self) -> None:
        for concurrency in (0, -1):
            with self.assertRaises(ValueError):
                self.gather(ABC, concurrency)

    def test_an_error_of_whoever_takes_the_answers_is_not_lost(self) -> None:
        def deliver(index: int, result: Result) -> None:
            raise ZeroDivisionError

        gathered = gather(
            self.network.getter(), Given(["http://"]), concurrency=1, deliver=deliver
        )
        self.failureResultOf(gathered, ZeroDivisionError)

    def test_nor_do_others_wait_for_it(self) -> None:
        def deliver(index: int, result: Result) -> None:
            raise ZeroDivisionError

        network = self.network
        gathered = gather(
            network.getter(), Given([*ABC, "ftp://x"]), concurrency=4, deliver=deliver
        )
        self.assertEqual(network.given_up, [True, True, True])
        self.failureResultOf(gathered, ZeroDivisionError)

    def test_nor_is_another_begun(self) -> None:
        def deliver(index: int, result: Result) -> None:
            raise ZeroDivisionError

        gathered = gather(
            self.network.getter(),
            Given(["ftp://x", *ABC]),
            concurrency=1,
            deliver=deliver,
        )
        self.failureResultOf(gathered, ZeroDivisionError)
        self.assertEqual(self.network.attempts, [])

    def test_an_error_of_whoever_is_told_that_one_begins_is_not_lost(self) -> None:
        def begun(index: int, request: object) -> None:
            if index == 1:
                raise ZeroDivisionError

        gathered = self.gather(ABC, 3, begun=begun)
        self.failureResultOf(gathered, ZeroDivisionError)
        self.assertEqual(self.network.given_up, [True])
        self.assertEqual(self.ended(), [(0, Interrupted)])

    def test_whoever_is_told_that_one_begins_sees_nothing_of_it_yet(self) -> None:
        begun: list[Any] = []
        gathered = self.gather(
            ABC[:2],
            1,
            begun=lambda index, request: begun.append((index, request.so_far().url)),
        )
        self.assertEqual(begun, [(0, ABC[0])])
        self.answer(0)
        self.assertEqual(begun, [(0, ABC[0]), (1, ABC[1])])
        self.answer(1)
        self.successResultOf(gathered)

    def test_urls_that_come_later(self) -> None:
        class Later(Given):
            is_closed = False

            def close(self) -> None:
                self.is_closed = True

            def put(self, *urls: str) -> None:
                self._jobs = map(Job, urls)
                self.on_more()

        for is_cancelled in (False, True):
            urls = Later([])
            urls.take = lambda urls=urls: next(urls._jobs, None)  # type: ignore[method-assign, misc]
            gathered = gather(
                self.network.getter(), urls, concurrency=2, deliver=lambda *_: None
            )
            self.assertNoResult(gathered)
            before = len(self.network.attempts)
            urls.put(*ABC[:1])
            self.assertEqual(len(self.network.attempts), before + 1)
            if is_cancelled:
                gathered.cancel()
            else:
                self.answer(before)
                self.assertNoResult(gathered)
                urls.is_over = True
                urls.on_more()
            self.successResultOf(gathered)
            self.assertTrue(urls.is_closed)

    def test_no_more_are_marked_than_anybody_reads(self) -> None:
        gathered = self.gather(ABC[:1] * (MOST_MARKED + 5), 1)
        gathered.cancel()
        self.successResultOf(gathered)
        self.assertEqual(len(self.delivered), MOST_MARKED + 1)

    def test_none_is_far_ahead_of_one_that_is_slow(self) -> None:
        urls = [f"http://10.0.0.{number}/" for number in range(9)]
        gathered = self.gather(urls, 2, ahead=3)
        for number in (1, 2):
            self.answer(number)
        # The third after the first, which has not ended, has to wait for it.
        self.assertEqual(len(self.network.attempts), 3)
        self.answer(0)
        self.assertEqual(len(self.network.attempts), 5)
        gathered.cancel()
        order = [index for index, _ in self.delivered]
        self.assertEqual(order[:3], [1, 2, 0])
        self.assertEqual(sorted(order), list(range(9)))
        self.successResultOf(gathered)

    def test_cancelled_while_no_url_has_come(self) -> None:
        class Slow(Given):
            def take(self) -> Job | BadJob | None:
                return None

        gathered = gather(
            self.network.getter(), Slow([]), concurrency=2, deliver=lambda *_: None
        )
        self.assertNoResult(gathered)
        gathered.cancel()
        self.successResultOf(gathered)

    def test_cancelled_while_all_the_others_wait_for_one_host(self) -> None:
        gathered = self.gather(ABC[:1] * 3, 2, per_host=1)
        self.assertEqual(len(self.network.attempts), 1)
        gathered.cancel()
        self.successResultOf(gathered)
        self.assertEqual(
            self.ended(), [(0, Interrupted), (1, Interrupted), (2, Interrupted)]
        )

    def test_a_redirect_waits_for_its_turn_at_the_other_host(self) -> None:
        gathered = gather(
            self.network.getter(max_redirects=5, more_to_come=True, connections=2),
            Given(ABC[:2]),
            concurrency=2,
            per_host=1,
            deliver=lambda *what: self.delivered.append(what),
        )
        self.send_to_the_second(0)
        # There is a request at the other already.
        self.assertEqual(len(self.network.attempts), 2)
        other = self.network.accept(1)
        other.take_request()
        other.answer(WHOLE % 200)
        # And its connection serves for both.
        self.assertEqual(len(self.network.attempts), 2)
        self.assertIn(b"GET /x ", other.take_request())
        other.answer(WHOLE % 201)
        self.assertEqual(self.ended(), [(1, 200), (0, 201)])
        self.assertNoResult(gathered)
        other.finish()
        self.successResultOf(gathered)

    def test_a_redirect_leaves_its_place_to_another_at_once(self) -> None:
        gathered = gather(
            self.network.getter(max_redirects=5),
            Given([ABC[0], ABC[1], ABC[0]]),
            concurrency=3,
            per_host=1,
            deliver=lambda *what: self.delivered.append(what),
        )
        hosts = [host for host, _ in self.network.attempts]
        self.assertEqual(hosts, ["10.0.0.1", "10.0.0.2"])
        self.send_to_the_second(0)
        hosts = [host for host, _ in self.network.attempts]
        self.assertEqual(hosts, ["10.0.0.1", "10.0.0.2", "10.0.0.1"])
        gathered.cancel()
        self.successResultOf(gathered)

    def test_cancelled_while_it_waits_for_that_turn(self) -> None:
        gathered = gather(
            self.network.getter(max_redirects=5),
            Given(ABC[:2]),
            concurrency=2,
            per_host=1,
            deliver=lambda *what: self.delivered.append(what),
        )
        self.send_to_the_second(0)
        gathered.cancel()
        self.successResultOf(gathered)
        (result,) = (result for index, result in self.delivered if index == 0)
        self.assertEqual(
            str(result.error),
            "cancelled while waiting for its turn at the host",
        )


class TableTests(ClockCase):
    def test_the_table_names_all_moves_and_no_other(self) -> None:
        moves = moves_in(GatherTests, gathering._Gathering, "_state")
        self.assertEqual(sorted(moves), sorted(named(gathering._State)))


class GetAllTests(GatheringCase):
    def test_in_the_order_asked_as_a_deferred_list_gives_them(self) -> None:
        gathered = get_all([*ABC[:2], "ftp://x"], reactor=self.network)
        self.answer(1, 201)
        self.answer(0, 500)
        results = self.successResultOf(gathered)
        self.assertEqual([success for success, _ in results], [True, True, False])
        first, second, third = (result for _, result in results)
        assert isinstance(first, Response)
        assert isinstance(second, Response)
        assert isinstance(third, Failure)
        self.assertEqual((first.status, second.status), (500, 201))
        third.trap(BadURL)

    def test_cancelled(self) -> None:
        gathered = get_all(ABC, reactor=self.network, concurrency=2)
        self.answer(0)
        gathered.cancel()
        results = self.successResultOf(gathered)
        self.assertEqual([success for success, _ in results], [True, False, False])
        for _, failure in results[1:]:
            assert isinstance(failure, Failure)
            failure.trap(Interrupted)

    def test_connections_are_kept_if_more_is_to_come_than_goes_at_once(self) -> None:
        for many, per_host, is_kept in [
            (2, None, False),
            (3, None, True),
            (2, 1, True),
        ]:
            gathered = get_all(
                ABC[:1] * many, reactor=self.network, concurrency=2, per_host=per_host
            )
            connection = self.network.accept()
            sent = connection.take_request()
            self.assertEqual(b"\r\nConnection: close\r\n" not in sent, is_kept)
            gathered.cancel()
            connection.finish()
            self.successResultOf(gathered)

    def test_concurrency_and_deadline(self) -> None:
        gathered = get_all(ABC, reactor=self.network, concurrency=1, max_time=2.0)
        for _ in ABC:
            self.network.pump([2.001, A_TURN])
        self.assertEqual([ok for ok, _ in self.successResultOf(gathered)], [False] * 3)
