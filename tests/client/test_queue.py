"""Turns: in order, not too far ahead, and no more of one host than it may have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from nbtwisted.client.many.queue import MOST_PASSED_OVER, Queue, Ticket
from nbtwisted.client.many.url_list import Given
from nbtwisted.client.target import Target
from tests.guard import ClockCase


def urls(hosts: str) -> list[str]:
    """A URL for each letter, whose host that is; a "-" is none at all."""
    return [f"http://{host}/{n}" for n, host in enumerate(hosts)]


class QueueCase(ClockCase):
    def queue(self, hosts: str, **options: int) -> Queue:
        return Queue(Given(urls(hosts)), **options)

    def take(self, queue: Queue) -> Deferred[Ticket | None]:
        return Deferred.fromCoroutine(queue.next())

    def took(self, queue: Queue) -> Ticket:
        ticket = self.successResultOf(self.take(queue))
        assert ticket is not None
        return ticket


class OrderTests(QueueCase):
    def test_in_order(self) -> None:
        queue = self.queue("aab")
        tickets = [self.took(queue) for _ in range(3)]
        self.assertEqual([ticket.index for ticket in tickets], [0, 1, 2])
        self.assertEqual([ticket.url for ticket in tickets], urls("aab"))
        self.assertIsNone(self.successResultOf(self.take(queue)))

    def test_not_too_far_ahead(self) -> None:
        queue = self.queue("abcdef", ahead=2)
        first, second = self.took(queue), self.took(queue)
        waiting = self.take(queue)
        queue.leave(second)
        self.assertNoResult(waiting)
        queue.leave(first)
        third = self.successResultOf(waiting)
        assert third is not None
        self.assertEqual(third.index, 2)
        self.assertEqual(self.took(queue).index, 3)
        self.assertEqual([index for index, _ in queue.rest()], [4, 5])


class PerHostTests(QueueCase):
    def test_others_go_first(self) -> None:
        queue = self.queue("aaab", per_host=1)
        first = self.took(queue)
        self.assertEqual(self.took(queue).index, 3)
        waiting = self.take(queue)
        self.assertNoResult(waiting)
        queue.leave(first)
        second = self.successResultOf(waiting)
        assert second is not None
        self.assertEqual(second.index, 1)
        self.assertEqual([index for index, _ in queue.rest()], [2])

    def test_all_who_wait_learn_of_the_end(self) -> None:
        queue = self.queue("aa", per_host=1)
        first = self.took(queue)
        waiting = [self.take(queue) for _ in range(3)]
        queue.leave(first)
        ended = [self.successResultOf(each) for each in waiting]
        self.assertEqual(sorted(t.index for t in ended if t), [1])
        self.assertEqual(ended.count(None), 2)

    def test_no_more_is_passed_over_than_can_be_kept(self) -> None:
        queue = self.queue("a" * 3000, per_host=1)
        first = self.took(queue)
        waiting = self.take(queue)
        self.assertEqual(queue._number_passed_over, MOST_PASSED_OVER)
        self.assertEqual(queue._next, MOST_PASSED_OVER + 1)
        queue.leave(first)
        self.assertIsNotNone(self.successResultOf(waiting))
        self.assertEqual(len(list(queue.rest())), 2998)

    def test_what_is_no_url_takes_up_no_place(self) -> None:
        queue = Queue(Given(["ftp://x"] * 3), per_host=1)
        self.assertEqual([self.took(queue).index for _ in range(3)], [0, 1, 2])

    def test_none(self) -> None:
        with self.assertRaises(ValueError):
            self.queue("a", per_host=0)

    def test_who_stops_waiting_stands_in_nobody_s_way(self) -> None:
        queue = self.queue("aa", per_host=1)
        first = self.took(queue)
        gone, waiting = self.take(queue), self.take(queue)
        gone.addErrback(lambda _: None).cancel()
        queue.leave(first)
        self.assertIsNotNone(self.successResultOf(waiting))


class WaitingTests(QueueCase):
    """Those who wait for a turn, more than there are."""

    def test_a_great_many_who_fail_at_once(self) -> None:
        # Each lets the next one go, and that the next.
        queue = self.queue("a" * 3001, per_host=1)
        first = self.took(queue)
        ended = []

        async def work() -> None:
            while (ticket := await queue.next()) is not None:
                ended.append(ticket.index)
                queue.leave(ticket)

        workers = [Deferred.fromCoroutine(work()) for _ in range(1500)]
        queue.leave(first)
        for worker in workers:
            self.successResultOf(worker)
        self.assertEqual(sorted(ended), list(range(1, 3001)))

    def test_while_no_url_has_come_yet(self) -> None:
        class OneByOne(Given):
            async def next(self) -> str | None:
                if (url := await super().next()) is not None:
                    return url
                await Deferred()
                return None

        queue = Queue(OneByOne(urls("aa")), per_host=1)
        first = self.took(queue)
        waiting = [self.take(queue), self.take(queue)]
        # There is room at the host for what was passed over, though nothing is read.
        self.successResultOf(queue.move(first, MovingTests.B))
        self.assertIsNotNone(self.successResultOf(waiting[0]))
        self.assertNoResult(waiting[1])

    def test_where_the_list_fails(self) -> None:
        class Broken(Given):
            async def next(self) -> str | None:
                raise ZeroDivisionError

        queue = Queue(Broken([]))
        for _ in range(2):
            self.failureResultOf(self.take(queue), ZeroDivisionError)


class MovingTests(QueueCase):
    def test_before_one_that_nobody_has_taken(self) -> None:
        queue = self.queue("aab", per_host=1)
        first, other = self.took(queue), self.took(queue)
        self.assertEqual(other.index, 2)
        queue.leave(first)  # which makes the second ready, and nobody takes it
        self.successResultOf(queue.move(other, self.A))
        waiting = self.take(queue)
        self.assertNoResult(waiting)
        queue.leave(other)
        second = self.successResultOf(waiting)
        assert second is not None
        self.assertEqual((second.index, second.origin), (1, self.A))
        queue.leave(second)
        self.assertFalse(queue._busy)

    A, B = (Target.parse(f"http://{host}/").origin for host in "ab")

    def test_before_one_of_several_that_nobody_has_taken(self) -> None:
        queue = self.queue("aabbc", per_host=1)
        first, second, third = (self.took(queue) for _ in range(3))
        queue.leave(first)
        queue.leave(second)
        self.successResultOf(queue.move(third, self.B))
        self.assertEqual(self.took(queue).origin, self.A)
        self.assertNoResult(waiting := self.take(queue))
        queue.leave(third)
        last = self.successResultOf(waiting)
        assert last is not None
        self.assertEqual((last.index, last.origin), (3, self.B))

    def test_to_where_there_is_room(self) -> None:
        queue = self.queue("aa", per_host=1)
        first = self.took(queue)
        self.successResultOf(queue.move(first, self.B))
        second = self.took(queue)
        self.assertEqual(second.origin, self.A)
        moved = queue.move(second, self.B)
        self.assertNoResult(moved)
        queue.leave(first)
        self.successResultOf(moved)
        self.assertEqual(second.origin, self.B)
        queue.leave(second)
        self.assertFalse(queue._busy)

    def test_cancelled(self) -> None:
        queue = self.queue("aba", per_host=1)
        first, second = self.took(queue), self.took(queue)
        moved = queue.move(first, self.B)
        # Its own place is free, whatever becomes of it.
        self.assertEqual(self.took(queue).index, 2)
        moved.addErrback(lambda _: None).cancel()
        queue.leave(first)
        queue.leave(second)
        self.assertEqual(list(queue._busy), [self.A])

    def test_where_nothing_is_counted(self) -> None:
        queue = self.queue("a")
        self.successResultOf(queue.move(self.took(queue), self.B))


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
        idle = 0

        def take() -> None:
            nonlocal idle
            idle += 1

            def taken(ticket: Ticket | None) -> None:
                nonlocal idle
                idle -= 1
                if ticket is not None:
                    out.append(ticket)
                    seen.append(ticket.index)

            self.take(queue).addCallback(taken)

        for _ in range(workers):
            take()
        while out:
            for host in "abc":
                busy = sum(ticket.url.startswith(f"http://{host}") for ticket in out)
                self.assertLessEqual(busy, per_host)
            ticket = out.pop(chance.randrange(len(out)))
            others = [t.index for t in out] or [ticket.index]
            self.assertLess(max(others) - min(others), ahead + workers)
            queue.leave(ticket)
            take()
        self.assertEqual(sorted(seen), list(range(len(hosts))))
        self.assertEqual(idle, 0)
        self.assertFalse(queue._busy)
        self.assertFalse(queue._passed_over)
