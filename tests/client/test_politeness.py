"""Lists of requests at a pace: when each host is asked, and that all of it ends."""

from __future__ import annotations

import random
from itertools import chain, pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from nbtwisted.client import get_all
from nbtwisted.client.errors import DeadlinePassed, Interrupted
from nbtwisted.client.many.gathering import gather
from nbtwisted.client.many.job_list import Given
from nbtwisted.client.request.pacing import FEWEST
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.result import Result
from tests import examples
from tests.client.orderly import Answer, Orderly
from tests.guard import ClockCase

A, B = "10.0.0.1", "10.0.0.2"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
TOO_MANY = b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\nRetry-After: %d\r\n\r\n"
FOUND = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n"
HERE, THERE = FOUND % b"/x", FOUND % f"http://{B}/x".encode()


def always(data: bytes) -> Answer:
    return lambda host, number: data


def urls(*hosts: str) -> list[str]:
    return [f"http://{host}/{number}" for number, host in enumerate(hosts)]


class PolitenessCase(ClockCase):
    def gather(
        self, world: Orderly, asked: list[str], concurrency: int = 50, **more: Any
    ) -> Deferred[None]:
        self.world, self.clock = world, world.network
        self.results: dict[int, Result] = {}
        in_queue = {key: more.pop(key) for key in ("per_host", "ahead") if key in more}
        return gather(
            world.network.getter(
                more_to_come=True,
                connections=concurrency,
                **{"draw": lambda: 0.5, **more},
            ),
            Given(asked),
            concurrency=concurrency,
            deliver=self.results.__setitem__,
            **in_queue,
        )

    def run_all(self, world: Orderly, asked: list[str], **more: Any) -> list[Result]:
        gathered = self.gather(world, asked, **more)
        world.run(gathered)
        self.successResultOf(gathered)
        self.assertEqual(world.network.getDelayedCalls(), [])
        return [self.results[index] for index in range(len(asked))]

    def assert_asked(self, host: str, *moments: float) -> None:
        """It was asked so many seconds after the beginning."""
        asked = [round(moment - 100, 3) for moment in self.world.asked[host]]
        self.assertEqual(asked, list(moments))

    def statuses(self) -> list[Any]:
        return [
            result.response.status if result.response else type(result.error)
            for _, result in sorted(self.results.items())
        ]


class PaceTests(PolitenessCase):
    def test_in_all(self) -> None:
        results = self.run_all(Orderly(always(OK)), urls(A, B, A, A), rate=4.0)
        self.assert_asked(A, 0.0, 0.5, 0.75)
        self.assert_asked(B, 0.25)
        paced = [round(result.attempts[0].paced, 3) for result in results]
        self.assertEqual(paced, [0.0, 0.25, 0.5, 0.75])
        self.assertEqual([round(result.queued, 3) for result in results], paced)

    def test_at_each_host(self) -> None:
        asked = urls(A, A, A, B, B)
        results = self.run_all(Orderly(always(OK)), asked, rate_per_host=4.0)
        self.assert_asked(A, 0.0, 0.25, 0.5)
        self.assert_asked(B, 0.0, 0.25)
        paced = [round(result.attempts[0].paced, 3) for result in results]
        self.assertEqual(paced, [0.0, 0.25, 0.5, 0.0, 0.25])

    def test_both(self) -> None:
        asked = urls(A, A, B, B)
        self.run_all(Orderly(always(OK)), asked, rate=10.0, rate_per_host=4.0)
        self.assert_asked(A, 0.0, 0.25)
        self.assert_asked(B, 0.1, 0.35)

    def test_responses_that_are_slower_than_the_pace(self) -> None:
        world = Orderly(always(OK), latency=1.0)
        results = self.run_all(world, urls(A, A, A), concurrency=1, rate_per_host=4.0)
        self.assert_asked(A, 0.0, 1.0, 2.0)
        # Nobody waited for the pace.
        self.assertEqual([result.attempts[0].paced for result in results], [0.0] * 3)

    def test_beside_the_room_of_a_host(self) -> None:
        for latency, moments in ((0.01, (0.0, 0.25, 0.5)), (0.3, (0.0, 0.3, 0.6))):
            world = Orderly(always(OK), latency=latency)
            self.run_all(world, urls(A, A, A, B), rate_per_host=4.0, per_host=1)
            self.assert_asked(A, *moments)
            self.assert_asked(B, 0.0)

    def test_max_time_counts_from_when_a_request_leaves_the_queue(self) -> None:
        asked = urls(*[A] * 5)
        results = self.run_all(Orderly(always(OK)), asked, rate=1.0, max_time=0.5)
        self.assertEqual(self.statuses(), [200] * 5)
        self.assertAlmostEqual(results[4].queued, 4.0)

    def test_redirects_and_retries_count(self) -> None:
        answers = [HERE, BUSY, OK, OK]
        results = self.run_all(
            Orderly(lambda host, number: answers[number]),
            urls(A, A),
            rate=4.0,
            max_redirects=5,
            retries=Retries(1, delay=0.0),
        )
        self.assertEqual(self.statuses(), [200, 200])
        # The redirect goes before the second of the list. The retry is at half a pace,
        # which is twice the pace of the host: of the list, nobody asked for one.
        self.assert_asked(A, 0.0, 0.25, 0.5, 0.75)
        thens = [attempt.then for result in results for attempt in result.attempts]
        self.assertEqual(thens.count("redirect"), 1)

    def test_a_redirect_waits_for_the_pace_of_the_other_host(self) -> None:
        world = Orderly(lambda host, number: THERE if host == A else OK)
        results = self.run_all(world, urls(B, A), rate_per_host=1.0, max_redirects=5)
        self.assert_asked(B, 0.0, 1.0)
        paced = [round(attempt.paced, 3) for attempt in results[1].attempts]
        self.assertEqual(paced, [0.0, 0.999])

    def test_a_deadline_ends_the_wait(self) -> None:
        world = Orderly(lambda host, number: THERE if host == A else OK)
        asked = urls(B, A)
        self.run_all(world, asked, rate_per_host=0.1, max_redirects=5, max_time=5.0)
        self.assertEqual(self.statuses(), [200, DeadlinePassed])
        self.assertEqual(
            str(self.results[1].error),
            "5 s passed while waiting for its turn at the host",
        )

    def test_cancelled_while_all_are_held(self) -> None:
        gathered = self.gather(Orderly(always(OK)), urls(*[A] * 3), rate=0.001)
        self.world.run(gathered, until=200.0)
        gathered.cancel()
        self.world.run(gathered)
        self.successResultOf(gathered)
        self.assertEqual(self.statuses(), [200, Interrupted, Interrupted])

    def test_cancelled_while_a_redirect_waits(self) -> None:
        world = Orderly(lambda host, number: THERE if host == A else OK)
        gathered = self.gather(
            world, urls(B, A), rate_per_host=0.001, max_redirects=1, max_time=1000.0
        )
        world.run(gathered, until=200.0)
        gathered.cancel()
        world.run(gathered)
        self.successResultOf(gathered)
        self.assertEqual(self.statuses(), [200, Interrupted])
        self.assertEqual(world.network.getDelayedCalls(), [])

    def test_the_end_does_not_wait_for_the_pace(self) -> None:
        self.run_all(Orderly(always(OK)), [*urls(A), "ftp://x"], rate=2 / 86_400)
        self.assertLess(self.world.network.seconds(), 101)

    def test_none_is_far_ahead_of_one_that_is_held(self) -> None:
        asked = urls(A, A, *[B] * 9)
        self.run_all(Orderly(always(OK)), asked, rate_per_host=10.0, ahead=4)
        self.assert_asked(A, 0.0, 0.1)
        self.assert_asked(B, *[round(0.1 * n, 1) for n in range(9)])

    def test_get_all(self) -> None:
        world = self.world = Orderly(always(OK))
        self.clock = world.network
        gathered = get_all(urls(A, A), reactor=world.network, rate=0.01)
        world.run(gathered, until=101)
        self.assertEqual(len(world.asked[A]), 1)
        gathered.cancel()
        world.run(gathered)
        self.assertEqual(
            [ok for ok, _ in self.successResultOf(gathered)], [True, False]
        )
        for rate in (0, 1e9, float("nan")):
            with self.assertRaisesRegex(ValueError, "expected requests a second"):
                get_all(urls(A), reactor=world.network, rate_per_host=rate)


class AloneTests(PolitenessCase):
    """A request that no queue knows."""

    def alone(self, answers: list[bytes], **how: Any) -> Result:
        world = self.world = Orderly(lambda host, number: answers[number])
        self.clock = world.network
        getter = world.network.getter(draw=lambda: 0.5, **how)
        self.asked = getter.get(f"http://{A}/")
        world.run(self.asked, until=500.0)
        getter.close()
        world.run(Deferred())
        return self.successResultOf(self.asked).result

    def test_a_redirect_waits_for_its_pace(self) -> None:
        for name in ("rate", "rate_per_host"):
            result = self.alone([HERE, HERE, OK], max_redirects=5, **{name: 4.0})
            self.assert_asked(A, 0.0, 0.25, 0.5)
            paced = [round(attempt.paced, 3) for attempt in result.attempts]
            self.assertEqual(paced, [0.0, 0.249, 0.249])

    def test_a_retry_waits_for_retry_after(self) -> None:
        result = self.alone([TOO_MANY % 7, OK], retries=Retries(1, delay=1.0))
        self.assert_asked(A, 0.0, 7.001)
        self.assertEqual([a.waited for a in result.attempts], [7.0, 0.0])

    def test_without_it_a_retry_has_its_own_wait(self) -> None:
        self.alone([BUSY, BUSY, OK], retries=Retries(2, delay=1.0))
        self.assert_asked(A, 0.0, 0.501, 1.502)

    def test_that_is_not_shorter_than_the_pace(self) -> None:
        self.alone([BUSY, BUSY, OK], retries=Retries(2, delay=0.0))
        self.assert_asked(A, 0.0, *[0.101, 0.302])

    def test_cancelled_while_it_waits(self) -> None:
        world = self.world = Orderly(always(HERE))
        self.clock = world.network
        getter = world.network.getter(rate=0.001, max_redirects=5)
        asked = getter.get(f"http://{A}/")
        world.run(asked, until=101)
        asked.cancel()
        error = self.failureResultOf(asked, Interrupted).value
        self.assertEqual(str(error), "cancelled while waiting for its turn at the host")
        getter.close()
        world.run(Deferred())

    def test_no_first_attempt_is_paced_for_longer_than_it_was_queued(self) -> None:
        world = Orderly(always(OK))
        self.clock = world.network
        getter = world.network.getter()
        request = getter.request(f"http://{A}/", queued_at=98.0)
        results: list[Result] = []
        request.start(lambda _, result: results.append(result), paced=2.0000000001)
        world.run(Deferred())
        self.assertEqual(results[0].attempts[0].paced, 2.0)


class RefusedTests(PolitenessCase):
    def limited(self, limit: float, capacity: int = 1) -> Answer:
        """A server with a bucket of tokens at the first host."""
        tokens, filled_at = float(capacity), 100.0

        def answer(host: str, number: int) -> bytes:
            nonlocal tokens, filled_at
            if host != A:
                return OK
            now = self.world.network.seconds()
            tokens = min(tokens + (now - filled_at) * limit, capacity)
            filled_at = now
            if tokens >= 1:
                tokens -= 1
                return OK
            return TOO_MANY % 1

        return answer

    def test_retry_after_holds_the_host_for_all_its_urls(self) -> None:
        answers = [TOO_MANY % 5, OK, OK]
        world = Orderly(lambda host, n: answers[n] if host == A else OK)
        self.run_all(world, urls(A, A, A, B, B), concurrency=2, per_host=1)
        # Then one at a time, carefully.
        self.assert_asked(A, 0.0, 5.001, round(5.001 + 2 / FEWEST, 3))
        self.assertTrue(all(moment < 101 for moment in world.asked[B]))
        self.assertEqual(self.statuses(), [429, 200, 200, 200, 200])

    def test_without_it_nothing_is_slowed_unasked(self) -> None:
        self.run_all(Orderly(always(BUSY)), urls(*[A] * 9), concurrency=1)
        self.assert_asked(A, *[round(0.001 * n, 3) for n in range(9)])

    def test_those_that_come_back_wait_in_turn(self) -> None:
        answers = [TOO_MANY % 5] * 4
        world = Orderly(lambda host, n: answers[n] if n < 4 else OK)
        asked = urls(*[A] * 5)
        results = self.run_all(
            world, asked, concurrency=4, retries=Retries(1, delay=1.0)
        )
        # The retries go before what is yet to begin, and each good response lets the
        # pace recover a step.
        first, *others = [moment - 100 for moment in world.asked[A][4:]]
        self.assertAlmostEqual(first, 5.001)
        gaps = [b - a for a, b in pairwise([first, *others])]
        self.assertAlmostEqual(gaps[0], 2 / FEWEST)
        self.assertEqual(gaps, sorted(gaps, reverse=True))
        self.assertEqual(len(others), 4)
        self.assertAlmostEqual(results[0].attempts[1].paced, 5.0)
        self.assertEqual(self.statuses(), [200] * 5)

    def test_others_go_on_while_all_that_may_go_wait_for_one_host(self) -> None:
        world = Orderly(lambda host, n: TOO_MANY % 20 if host == A and n < 2 else OK)
        self.run_all(world, urls(A, A, B, B), concurrency=2, retries=Retries(1))
        self.assert_asked(B, 0.001, 0.001)

    def test_what_would_be_too_late_is_not_waited_for(self) -> None:
        answers = [TOO_MANY % 1, OK]
        world = Orderly(lambda host, number: answers[number])
        self.run_all(
            world, urls(A), rate_per_host=0.1, retries=Retries(1), max_time=5.0
        )
        self.assertEqual(self.statuses(), [429])
        self.assert_asked(A, 0.0)

    def test_a_limit_is_found(self) -> None:
        for limit, number, rates in (
            (50.0, 1000, {}),
            (500.0, 5000, {}),
            (20.0, 500, {"rate_per_host": 40.0}),
        ):
            self.run_all(
                Orderly(self.limited(limit, capacity=int(limit)), latency=0.02),
                urls(*[A] * number),
                retries=Retries(30),
                max_time=1000.0,
                **rates,
            )
            self.assertEqual(self.statuses(), [200] * number)
            asked = self.world.asked[A]
            # One in ten was refused, at most, in hardly more than the time it takes.
            self.assertLess(len(asked), number * 1.1)
            self.assertLess(asked[-1] - 100, 1.1 * number / limit)

    def test_below_a_limit_nothing_is_refused(self) -> None:
        self.run_all(Orderly(self.limited(20.0)), urls(*[A] * 100), rate_per_host=19.0)
        self.assertEqual(self.statuses(), [200] * 100)


class AnyListTests(PolitenessCase):
    @settings(max_examples=examples(150))
    @given(
        st.lists(st.sampled_from([A, B, "10.0.0.3"]), min_size=1, max_size=40),
        st.fixed_dictionaries(
            {},
            optional={
                "rate": st.floats(0.3, 300),
                "rate_per_host": st.floats(0.3, 300),
                "retries": st.builds(Retries, st.integers(0, 3), st.floats(0, 1)),
                "max_redirects": st.integers(0, 3),
                "per_host": st.integers(1, 3),
                "ahead": st.integers(1, 10),
            },
        ),
        st.integers(1, 8),
        st.sampled_from([0.0, 0.001, 0.2]),
        st.integers(0, 2**64),
        st.booleans(),
    )
    def test_no_host_sees_more_than_its_rate_and_all_of_it_ends(
        self,
        hosts: list[str],
        options: dict[str, Any],
        concurrency: int,
        latency: float,
        seed: int,
        is_cancelled: bool,
    ) -> None:
        chance = random.Random(seed)
        kinds = [OK, OK, OK, OK, BUSY, TOO_MANY % 0, TOO_MANY % 3, HERE, THERE]
        world = Orderly(lambda host, n: chance.choice(kinds), latency=latency)
        rate, per_host = options.get("rate"), options.get("rate_per_host")
        gathered = self.gather(
            world,
            urls(*hosts),
            concurrency,
            draw=chance.random,
            max_time=60.0,
            **options,
        )
        if is_cancelled:
            world.run(gathered, until=100 + 20 * chance.random())
            gathered.cancel()
        world.run(gathered)
        self.successResultOf(gathered)
        self.assertEqual(world.network.getDelayedCalls(), [])
        self.assertEqual(sorted(self.results), list(range(len(hosts))))
        everywhere = sorted(chain.from_iterable(world.asked.values()))
        for most, moments in [
            (rate, everywhere),
            *[(per_host, m) for m in world.asked.values()],
        ]:
            if most is not None:
                self.assert_spaced(moments, 1 / most)
        most_at_once = min(concurrency, options.get("per_host", concurrency))
        self.assertLessEqual(max(world.busiest.values(), default=0), most_at_once)
        for host, at, data in world.answered:
            if data == TOO_MANY % 3:
                early = [m for m in world.asked[host] if at < m < at + 3 - 1e-6]
                self.assertEqual(early, [])
        for result in self.results.values():
            if result.attempts:
                self.assertLessEqual(result.attempts[0].paced, result.queued)
            for attempt in result.attempts[1:]:
                self.assertLess(attempt.paced, 60.1)

    def assert_spaced(self, moments: list[float], gap: float) -> None:
        for one, other in pairwise(moments):
            self.assertGreater(other - one, gap - 1e-6)
