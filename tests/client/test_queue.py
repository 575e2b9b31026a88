"""Turns: in order, not too far ahead, and no more of one host than it may have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job
from nbtwisted.client.many.job_list import Given
from nbtwisted.client.many.queue import MOST_PASSED_OVER, Queue, Ticket
from nbtwisted.client.target import Target
from tests.guard import ClockCase


def urls(hosts: str) -> list[str]:
    """A URL for each letter, whose host that is; a "-" is none at all."""
    return [f"http://{host}/{n}" for n, host in enumerate(hosts)]


def url_of(ticket: Ticket) -> str:
    assert isinstance(ticket.job, Job)
    return ticket.job.url


class QueueCase(ClockCase):
    def queue(self, hosts: str, **options: int) -> Queue:
        return Queue(Given(urls(hosts)), **options)

    def took(self, queue: Queue) -> Ticket:
        ticket = queue.take()
        assert ticket is not None
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
        # There is room at the host for what was passed over, though nothing is read.
        self.successResultOf(queue.move(first, MovingTests.B))
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
    def test_before_one_that_nobody_has_taken(self) -> None:
        queue = self.queue("aab", per_host=1)
        first, other = self.took(queue), self.took(queue)
        self.assertEqual(other.index, 2)
        queue.leave(first)  # which makes the second ready, and nobody takes it
        self.successResultOf(queue.move(other, self.A))
        self.took_nothing(queue)
        queue.leave(other)
        second = self.took(queue)
        self.assertEqual((second.index, second.origin), (1, self.A))
        queue.leave(second)
        self.assertFalse(queue._busy)
        self.took_nothing(queue, is_over=True)

    A, B = (Target.parse(f"http://{host}/").origin for host in "ab")

    def test_before_one_of_several_that_nobody_has_taken(self) -> None:
        queue = self.queue("aabbc", per_host=1)
        first, second, third = (self.took(queue) for _ in range(3))
        queue.leave(first)
        queue.leave(second)
        self.successResultOf(queue.move(third, self.B))
        self.assertEqual(self.took(queue).origin, self.A)
        self.took_nothing(queue)
        queue.leave(third)
        last = self.took(queue)
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
        self.assertFalse(queue._busy)
        self.assertFalse(queue._passed_over)
        self.assertFalse(queue._done)
