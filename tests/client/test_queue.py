"""Turns: in order, not too far ahead, and no more of one host than it may have."""

from __future__ import annotations

import math
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job
from nbtwisted.client.many.job_list import Given
from nbtwisted.client.many.queue import (
    LARGEST_PASSED_OVER,
    MOST_PASSED_OVER,
    Queue,
    Ticket,
)
from nbtwisted.client.request.pacing import Pacing
from nbtwisted.client.request.request import Request
from nbtwisted.client.target import Origin, Target
from tests.guard import ClockCase


def urls(hosts: str) -> list[str]:
    """A URL for each letter, whose host that is; a "-" is none at all."""
    return [f"http://{host}/{n}" for n, host in enumerate(hosts)]


def url_of(ticket: Ticket) -> str:
    assert isinstance(ticket.job, Job)
    return ticket.job.url


class QueueCase(ClockCase):
    def queue(self, hosts: str, **options: Any) -> Queue:
        return Queue(Given(urls(hosts)), **options)

    def took(self, queue: Queue) -> Ticket:
        ticket = queue.take()
        assert ticket is not None
        ticket.request = cast(Request, object())
        return ticket

    def took_nothing(self, queue: Queue, *, is_over: bool = False) -> None:
        self.assertIsNone(queue.take())
        self.assertEqual(queue.is_over, is_over)


class OrderTests(QueueCase):
    def test_in_order(self) -> None:
        queue = self.queue("aab")
        tickets = [self.took(queue) for _ in range(3)]
        self.assertEqual([ticket.index for ticket in tickets], [0, 1, 2])
        self.assertEqual([url_of(ticket) for ticket in tickets], urls("aab"))
        self.took_nothing(queue, is_over=True)

    def test_not_too_far_ahead(self) -> None:
        queue = self.queue("abcdef", ahead=2)
        first, second = self.took(queue), self.took(queue)
        self.took_nothing(queue)
        queue.leave(second)
        self.took_nothing(queue)
        queue.leave(first)
        self.assertEqual(self.took(queue).index, 2)
        self.assertEqual(self.took(queue).index, 3)
        self.assertEqual([index for index, _ in queue.rest()], [4, 5])

    def test_nothing_is_kept_of_those_behind_one_that_takes_long(self) -> None:
        queue = self.queue("abc")
        self.took(queue)
        queue.leave(self.took(queue))
        self.assertFalse(queue._done)


class PerHostTests(QueueCase):
    def test_others_go_first(self) -> None:
        queue = self.queue("aaab", per_host=1)
        first = self.took(queue)
        self.assertEqual(self.took(queue).index, 3)
        self.took_nothing(queue)
        queue.leave(first)
        self.assertEqual(self.took(queue).index, 1)
        self.assertEqual([index for index, _ in queue.rest()], [2])

    def test_not_over_while_any_is_passed_over(self) -> None:
        queue = self.queue("aa", per_host=1)
        first = self.took(queue)
        self.took_nothing(queue)
        queue.leave(first)
        self.assertFalse(queue.is_over)
        self.assertEqual(self.took(queue).index, 1)
        self.took_nothing(queue, is_over=True)

    def test_no_more_is_passed_over_than_can_be_kept(self) -> None:
        queue = self.queue("a" * 3000, per_host=1)
        first = self.took(queue)
        self.took_nothing(queue)
        self.assertEqual(queue._number_passed_over, MOST_PASSED_OVER)
        self.assertEqual(queue._next, MOST_PASSED_OVER + 1)
        queue.leave(first)
        self.took(queue)
        self.assertEqual(len(list(queue.rest())), 2998)

    def test_nor_are_more_bytes_of_bodies(self) -> None:
        body = bytes(LARGEST_PASSED_OVER // 2)
        queue = Queue(Given([Job("http://a/", "POST", body=body)] * 9), per_host=1)
        tickets = [self.took(queue)]
        self.took_nothing(queue)
        self.assertEqual(queue._number_passed_over, 2)
        for _ in range(8):
            queue.leave(tickets[-1])
            tickets.append(self.took(queue))
            self.took_nothing(queue, is_over=len(tickets) == 9)
        self.assertEqual(queue._size_passed_over, 0)

    def test_what_is_no_job_or_no_url_takes_up_no_place(self) -> None:
        bad = BadJob("line 1: …", shown="line 1")
        queue = Queue(Given(["ftp://x", "ftp://x", bad, bad]), per_host=1)
        self.assertEqual([self.took(queue).index for _ in range(4)], [0, 1, 2, 3])

    def test_none(self) -> None:
        with self.assertRaises(ValueError):
            self.queue("a", per_host=0)

    def test_what_was_passed_over_while_no_url_has_come_yet(self) -> None:
        class OneByOne(Given):
            is_over = False

        queue = Queue(OneByOne(urls("aa")), per_host=1)
        first = self.took(queue)
        self.took_nothing(queue)
        queue.leave(first)
        # There is room at the host for what was passed over, though nothing is read.
        self.assertEqual(self.took(queue).index, 1)

    def test_closed(self) -> None:
        class Closing(Given):
            is_closed = False

            def close(self) -> None:
                self.is_closed = True

        given = Closing([])
        Queue(given).close()
        self.assertTrue(given.is_closed)

    def test_where_the_list_fails(self) -> None:
        class Broken(Given):
            def take(self) -> Job | BadJob | None:
                raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            Queue(Broken([])).take()


class MovingTests(QueueCase):
    A, B = (Target.parse(f"http://{host}/").origin for host in "ab")

    def waits(self, queue: Queue, ticket: Ticket, origin: Origin) -> None:
        """Move on, to where there may be no room."""
        self.assertFalse(queue.move(ticket, origin))
        self.assertEqual(queue.moving, 1)

    def goes_on(self, queue: Queue, ticket: Ticket) -> None:
        self.assertIs(queue.take(), ticket)
        self.assertEqual(queue.moving, 0)

    def test_before_one_that_nobody_has_taken(self) -> None:
        queue = self.queue("aab", per_host=1)
        first, other = self.took(queue), self.took(queue)
        self.assertEqual(other.index, 2)
        queue.leave(first)  # which makes room for the second, and nobody takes it
        self.waits(queue, other, self.A)
        self.goes_on(queue, other)
        self.took_nothing(queue)
        queue.leave(other)
        second = self.took(queue)
        self.assertEqual(second.index, 1)
        queue.leave(second)
        self.took_nothing(queue, is_over=True)
        self.assertFalse(queue._hosts)

    def test_before_one_of_several_that_nobody_has_taken(self) -> None:
        queue = self.queue("aabbc", per_host=1)
        first, second, third = (self.took(queue) for _ in range(3))
        queue.leave(first)
        queue.leave(second)
        self.waits(queue, third, self.B)
        self.assertEqual(self.took(queue).index, 1)
        self.goes_on(queue, third)
        self.took_nothing(queue)
        queue.leave(third)
        self.assertEqual(self.took(queue).index, 3)

    def test_to_where_there_is_room(self) -> None:
        queue = self.queue("aa", per_host=1)
        first = self.took(queue)
        self.waits(queue, first, self.B)
        self.goes_on(queue, first)
        second = self.took(queue)
        self.waits(queue, second, self.B)
        self.took_nothing(queue, is_over=True)
        queue.leave(first)
        self.goes_on(queue, second)
        queue.leave(second)
        self.assertFalse(queue._hosts)

    def test_where_it_is_already(self) -> None:
        queue = self.queue("aa", per_host=1)
        first = self.took(queue)
        self.assertTrue(queue.move(first, self.A))
        self.took_nothing(queue)

    def test_in_their_order(self) -> None:
        queue = self.queue("abc", per_host=1)
        first, second, third = (self.took(queue) for _ in range(3))
        self.waits(queue, third, self.A)
        self.assertFalse(queue.move(second, self.A))
        self.took_nothing(queue, is_over=True)
        queue.leave(first)
        self.assertIs(queue.take(), third)
        queue.leave(third)
        self.goes_on(queue, second)

    def test_ended_meanwhile(self) -> None:
        queue = self.queue("aba", per_host=1)
        first, second = self.took(queue), self.took(queue)
        self.waits(queue, first, self.B)
        # Its own place is free, whatever becomes of it.
        self.assertEqual(self.took(queue).index, 2)
        queue.leave(first)
        self.assertEqual(queue.moving, 0)
        queue.leave(second)
        self.assertEqual(list(queue._hosts), [self.A])
        self.took_nothing(queue, is_over=True)

    def test_ended_when_its_turn_has_come(self) -> None:
        queue = self.queue("a", per_host=1)
        first = self.took(queue)
        self.waits(queue, first, self.B)
        queue.leave(first)
        self.took_nothing(queue, is_over=True)
        self.assertFalse(queue._hosts)

    def test_those_that_wait_for_a_turn_are_no_more_than_can_be_kept(self) -> None:
        number = MOST_PASSED_OVER
        others = [f"http://{n}/" for n in range(number + 5)]
        queue = Queue(Given([*urls("b"), *others]), per_host=1)
        tickets = [self.took(queue) for _ in range(number + 1)]
        for ticket in tickets[1:]:
            self.assertFalse(queue.move(ticket, self.B))
        self.took_nothing(queue)
        self.assertEqual((queue.moving, queue._next), (number, number + 1))
        queue.leave(tickets[0])
        self.assertIs(queue.take(), tickets[1])
        self.assertEqual(self.took(queue).index, number + 1)

    def test_where_nothing_is_counted(self) -> None:
        queue = self.queue("a")
        self.assertTrue(queue.move(self.took(queue), self.B))


class PacedCase(QueueCase):
    def setUp(self) -> None:
        super().setUp()
        self.pacing = Pacing()

    def paced(self, hosts: str, per_host: int | None = None, **rates: Any) -> Queue:
        self.pacing = Pacing(**rates)
        return Queue(
            Given(urls(hosts)),
            per_host=per_host,
            pacing=self.pacing,
            now=self.clock.seconds,
        )

    def began(self, queue: Queue) -> list[int]:
        """The positions of those that may begin now."""
        began = []
        while (ticket := queue.take()) is not None:
            self.count(ticket)
            began.append(ticket.index)
        return began

    def count(self, ticket: Ticket) -> None:
        # As a request does when it begins.
        self.pacing.take(Target.parse(url_of(ticket)).origin, self.clock.seconds())


class PaceTests(PacedCase):
    A, B = (Target.parse(f"http://{host}/").origin for host in "ab")

    def test_others_go_first_while_a_host_is_paced(self) -> None:
        queue = self.paced("aaabb", rate_per_host=2.0)
        self.assertEqual(self.began(queue), [0, 3])
        self.assertEqual(queue.wakes_at, 0.5)
        self.clock.advance(0.49)
        self.assertEqual(self.began(queue), [])
        self.clock.advance(0.01)
        self.assertEqual(self.began(queue), [1, 4])
        self.assertFalse(queue.is_over)
        self.clock.advance(7)
        self.assertEqual(self.began(queue), [2])
        self.assertTrue(queue.is_over)
        self.assertEqual((queue.wakes_at, queue._hosts), (math.inf, {}))

    def test_a_pace_in_all_holds_the_list(self) -> None:
        queue = self.paced("abc", rate=10.0)
        for index in range(3):
            self.assertEqual(self.began(queue), [index])
            # It is known at once that nothing comes behind the last.
            self.assertEqual(queue.is_over, index == 2)
            due = math.inf if index == 2 else round(0.1 * (index + 1), 9)
            self.assertEqual(queue.wakes_at, due)
            self.clock.advance(0.1)

    def test_what_is_no_url_is_held_by_no_pace(self) -> None:
        bad = ["ftp://x"] * 3
        pacing = Pacing(rate=1.0)
        queue = Queue(Given([*urls("a"), *bad]), pacing=pacing, now=self.clock.seconds)
        self.count_first(queue, pacing)
        self.assertEqual([self.took(queue).index for _ in bad], [1, 2, 3])
        self.took_nothing(queue, is_over=True)

    def count_first(self, queue: Queue, pacing: Pacing) -> None:
        self.took(queue)
        pacing.take(self.A, 0)

    def test_both(self) -> None:
        queue = self.paced("aab", rate=10.0, rate_per_host=2.0)
        began = []
        while not queue.is_over:
            began += [
                (index, round(self.clock.seconds(), 3)) for index in self.began(queue)
            ]
            self.clock.advance(0.05)
        self.assertEqual(began, [(0, 0.0), (2, 0.1), (1, 0.5)])

    def test_beside_the_room_of_a_host(self) -> None:
        queue = self.paced("aab", per_host=1, rate_per_host=2.0)
        first = self.took(queue)
        self.count(first)
        self.assertEqual(self.began(queue), [2])
        # Neither wakes it: there is no room.
        self.assertEqual(queue.wakes_at, math.inf)
        self.clock.advance(1)
        self.assertEqual(self.began(queue), [])
        queue.leave(first)
        self.assertEqual(self.began(queue), [1])

    def test_room_before_its_time(self) -> None:
        queue = self.paced("aa", per_host=1, rate_per_host=2.0)
        first = self.took(queue)
        self.count(first)
        self.took_nothing(queue)
        self.clock.advance(0.2)
        queue.leave(first)
        self.took_nothing(queue)
        self.assertEqual(queue.wakes_at, 0.5)
        self.clock.advance(0.3)
        self.assertAlmostEqual(self.took(queue).paced, 0.3)

    def test_how_long_each_was_held(self) -> None:
        for name in ("rate", "rate_per_host"):
            rates: dict[str, Any] = {name: 10.0}
            queue = self.paced("aaaa", **rates)
            for index in range(4):
                ticket = self.took(queue)
                self.count(ticket)
                self.assertAlmostEqual(ticket.paced, 0.1 * index)
                self.took_nothing(queue, is_over=index == 3)
                self.clock.advance(0.1)

    def test_held_by_both_paces(self) -> None:
        queue = self.paced("aaab", rate=2.0, rate_per_host=1.0)
        paced = []
        for _ in range(5):
            if (ticket := queue.take()) is not None:
                self.count(ticket)
                paced.append((ticket.index, ticket.paced))
            self.assertIsNone(queue.take())
            self.clock.advance(0.5)
        self.assertEqual(paced, [(0, 0.0), (3, 0.5), (1, 1.0), (2, 2.0)])

    def test_not_while_there_is_room_for_none(self) -> None:
        # It was due long ago, and nobody has asked.
        queue = self.paced("aaa", per_host=2, rate_per_host=10.0)
        tickets = []
        for paced in (0.0, 0.1, 0.1):
            ticket = self.took(queue)
            self.assertAlmostEqual(ticket.paced, paced)
            self.count(ticket)
            tickets.append(ticket)
            self.assertIsNone(queue.take())
            self.clock.advance(5)
            if len(tickets) == 2:
                # Nor while the host has no room.
                self.assertIsNone(queue.take())
                queue.leave(tickets[0])

    def test_each_turn_has_its_own_wait(self) -> None:
        queue = self.paced("abc", rate=2.0)
        self.assertEqual(self.began(queue), [0])
        self.clock.advance(0.5)
        second = self.took(queue)
        self.assertEqual(second.paced, 0.5)
        self.count(second)
        self.took_nothing(queue)
        self.clock.advance(0.2)
        self.assertFalse(queue.move(second, self.A))
        self.took_nothing(queue)
        self.clock.advance(0.3)
        self.assertIs(self.took(queue), second)
        self.assertAlmostEqual(second.paced, 0.3)

    def test_not_while_nobody_asks_for_the_next(self) -> None:
        queue = self.paced("abc", rate=10.0)
        self.assertEqual(self.began(queue), [0])
        self.clock.advance(0.1)
        self.count(self.took(queue))
        # There is room for no more.
        self.clock.advance(5)
        self.assertAlmostEqual(self.took(queue).paced, 0.1)

    def test_how_long_those_were_held_that_the_list_had_no_room_for(self) -> None:
        number = MOST_PASSED_OVER + 2
        queue = self.paced("a" * number, rate_per_host=1.0)
        for index in range(number):
            ticket = self.took(queue)
            self.assertEqual((ticket.index, ticket.paced), (index, float(index)))
            self.count(ticket)
            self.took_nothing(queue, is_over=index == number - 1)
            self.clock.advance(1)

    def test_a_host_that_is_slowed_when_its_turn_has_come(self) -> None:
        queue = self.paced("aaa", rate_per_host=2.0)
        self.assertEqual(self.began(queue), [0])
        self.clock.advance(0.5)
        self.pacing.refused(self.A, 0.5, 5.0, began=0.0)
        self.assertEqual(self.began(queue), [])
        self.assertEqual(queue.wakes_at, 5.5)
        self.clock.advance(5)
        self.assertEqual(self.began(queue), [1])
        self.assertEqual(queue.wakes_at, 6.5)

    def test_a_host_that_is_slowed_where_no_pace_was_asked_for(self) -> None:
        queue = self.paced("aab")
        first = self.took(queue)
        self.count(first)
        self.pacing.refused(self.A, 0.0, 5.0, began=0.0)
        self.assertEqual(self.began(queue), [2])
        self.assertEqual(queue.wakes_at, 5.0)
        queue.leave(first)
        self.clock.advance(5)
        self.assertEqual(self.began(queue), [1])

    def test_those_under_way_go_before_those_that_are_not(self) -> None:
        queue = self.paced("aab", rate_per_host=2.0)
        first = self.took(queue)
        self.count(first)
        self.assertEqual(self.began(queue), [2])
        self.assertFalse(queue.move(first, self.A))
        self.clock.advance(0.5)
        ticket = self.took(queue)
        self.assertIs(ticket, first)
        self.assertEqual(ticket.paced, 0.5)
        self.count(ticket)
        self.assertEqual(self.began(queue), [])
        self.clock.advance(0.5)
        self.assertEqual(self.began(queue), [1])

    def test_moved_on_where_the_pace_in_all_holds_everything(self) -> None:
        queue = self.paced("ab", rate=2.0)
        first = self.took(queue)
        self.count(first)
        self.took_nothing(queue)
        self.assertFalse(queue.move(first, self.B))
        self.took_nothing(queue)
        self.assertEqual(queue.wakes_at, 0.5)
        self.clock.advance(0.5)
        self.assertIs(self.took(queue), first)
        self.count(first)
        self.took_nothing(queue)
        self.clock.advance(0.5)
        # It waited half a second for the first, and another for that one.
        second = self.took(queue)
        self.assertEqual((second.index, second.paced), (1, 1.0))

    def test_moved_to_the_host_of_one_that_is_held(self) -> None:
        queue = self.paced("ab", rate=2.0, rate_per_host=1.0)
        first = self.took(queue)
        self.count(first)
        self.took_nothing(queue)
        self.assertFalse(queue.move(first, self.B))
        self.clock.advance(0.5)
        self.assertIs(self.took(queue), first)
        self.pacing.take(self.B, 0.5)
        self.took_nothing(queue)
        self.clock.advance(1)
        self.assertEqual(self.began(queue), [1])

    def test_nothing_is_read_for_those_in_line(self) -> None:
        queue = self.paced("ab", rate=2.0)
        first = self.took(queue)
        self.count(first)
        self.assertFalse(queue.move(first, self.A))
        self.took_nothing(queue)
        self.assertEqual((queue.wakes_at, queue._next), (0.5, 1))

    def test_held_while_others_take_up_all_room(self) -> None:
        queue = self.paced(
            "b" + "a" * MOST_PASSED_OVER + "c", rate=10.0, rate_per_host=0.001
        )
        first = self.took(queue)
        self.count(first)
        self.clock.advance(0.1)
        self.assertEqual(self.began(queue), [1])
        self.assertEqual(queue.wakes_at, 0.2)
        self.assertFalse(queue.move(first, self.A))
        self.clock.advance(0.1)
        self.assertEqual(self.began(queue), [MOST_PASSED_OVER + 1])
        self.assertEqual(queue.wakes_at, 1000.1)

    def test_where_nobody_waits_any_more_nothing_wakes_it(self) -> None:
        queue = self.paced("a", rate_per_host=2.0)
        first = self.took(queue)
        self.count(first)
        self.assertFalse(queue.move(first, self.A))
        self.took_nothing(queue, is_over=True)
        self.assertEqual(queue.wakes_at, 0.5)
        queue.leave(first)
        self.took_nothing(queue, is_over=True)
        self.assertEqual((queue.wakes_at, queue._hosts), (math.inf, {}))

    def test_the_rest_has_those_that_are_held(self) -> None:
        queue = self.paced("aab", rate_per_host=1.0, rate=1.0)
        self.assertEqual(self.began(queue), [0])
        self.clock.advance(0.5)
        self.assertEqual([index for index, _ in queue.rest()], [1, 2])


class AnyOrderTests(QueueCase):
    @given(
        st.text("abc", max_size=30),
        st.integers(1, 3),
        st.integers(1, 6),
        st.integers(1, 8),
        st.randoms(use_true_random=False),
    )
    def test_each_once_and_within_bounds(
        self, hosts: str, per_host: int, ahead: int, workers: int, chance: object
    ) -> None:
        import random

        assert isinstance(chance, random.Random)
        queue = self.queue(hosts, per_host=per_host, ahead=ahead)
        out: list[Ticket] = []
        seen: list[int] = []

        def take() -> None:
            while len(out) < workers and (ticket := queue.take()) is not None:
                out.append(ticket)
                seen.append(ticket.index)

        take()
        while out:
            for host in "abc":
                busy = sum(
                    url_of(ticket).startswith(f"http://{host}") for ticket in out
                )
                self.assertLessEqual(busy, per_host)
            ticket = out.pop(chance.randrange(len(out)))
            others = [t.index for t in out] or [ticket.index]
            self.assertLess(max(others) - min(others), ahead)
            queue.leave(ticket)
            take()
        self.assertEqual(sorted(seen), list(range(len(hosts))))
        self.assertTrue(queue.is_over)
        self.assertFalse(queue._hosts)
        self.assertFalse(queue._done)
