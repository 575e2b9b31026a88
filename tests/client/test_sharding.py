"""Who does which jobs: each once, each origin at one worker, none with too much."""

from __future__ import annotations

from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job, is_idempotent
from nbtwisted.client.many import sharding
from nbtwisted.client.many.sharding import Lost, Sharding
from nbtwisted.client.results.output import InOrder
from tests import examples

A, B, C = (Job(f"http://{name}/") for name in "abc")


def sharding_of(*shares: int, ahead: float = float("inf")) -> Sharding:
    return Sharding(shares, ahead=ahead, may_repeat=is_idempotent)


def take(shards: Sharding, worker: int, now: float = 0.0) -> list[int]:
    return [index for index, _, _ in shards.take(worker, now)]


class AssigningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.shards = sharding_of(5, 5)

    def put(self, *jobs: Job | BadJob, first: int = 0) -> None:
        for index, job in enumerate(jobs, first):
            self.assertTrue(self.shards.put(index, job))

    def test_an_origin_is_one_workers(self) -> None:
        self.put(A, B, Job("http://a/1"), Job("HTTP://A:80"), Job("b/2"), A)
        self.assertEqual(take(self.shards, 0), [0, 2, 3, 5])
        self.assertEqual(take(self.shards, 1), [1, 4])
        self.assertEqual(self.shards.origins, 2)

    def test_a_new_one_goes_to_who_has_the_least_to_do(self) -> None:
        self.put(A, A, A, B, C)
        self.assertEqual(take(self.shards, 1), [3, 4])

    def test_what_has_no_origin_goes_to_anybody(self) -> None:
        bad = BadJob("no", shown="x")
        self.put(A, Job("ftp://a/"), bad, A, bad)
        self.assertEqual(take(self.shards, 0), [0, 2, 3])
        self.assertEqual(take(self.shards, 1), [1, 4])
        self.assertEqual(self.shards.origins, 1)
        for worker, index in [(0, 2), (1, 1), (1, 4)]:
            self.assertTrue(self.shards.end(worker, index))

    def test_beginnings_that_look_alike(self) -> None:
        """Only what has a path says where its origin ends."""
        self.put(Job("http://h:8/"), A, Job("http://h:80"), Job("http://h:8"))
        self.assertEqual(self.shards.origins, 3)
        self.assertEqual(take(self.shards, 0), [0, 2, 3])

    def test_origins_are_remembered_by_the_beginnings_of_few(self) -> None:
        with mock.patch.object(sharding, "_MOST_REMEMBERED", 2):
            self.put(A, B, C, A, B, C)
        self.assertEqual(self.shards.origins, 3)
        self.assertEqual(take(self.shards, 1), [1, 4])
        self.assertLessEqual(len(self.shards._slots), 2)


class RoomTests(SynchronousTestCase):
    next: int

    def put(self, shards: Sharding, now: float) -> int:
        """Put as many as there is room for, of two origins; returns how many."""
        put = 0
        while room := shards.room(now):
            for _ in range(room):
                shards.put(self.next, (A, B)[self.next % 2])
                self.next, put = self.next + 1, put + 1
        return put

    def setUp(self) -> None:
        self.next = 0

    def test_a_share_and_as_many_again(self) -> None:
        shards = sharding_of(5, 3)
        self.put(shards, 0.0)
        self.assertEqual(len(take(shards, 0)), 10)
        self.assertEqual(len(take(shards, 1)), 6)

    def test_not_a_few_at_a_time(self) -> None:
        shards = sharding_of(8)
        self.put(shards, 0.0)
        self.assertEqual(len(take(shards, 0)), 16)
        for index in range(3):
            shards.end(0, index)
        self.assertEqual((shards.room(0.6), take(shards, 0, 0.6)), (0, []))
        shards.end(0, 3)
        self.assertEqual(self.put(shards, 0.6), 4)
        self.assertEqual(take(shards, 0, 0.6), [16, 17, 18, 19])

    def test_more_for_who_does_more(self) -> None:
        shards = sharding_of(5)
        self.put(shards, 0.0)
        for _ in range(3):
            for index in take(shards, 0, 0.1):
                shards.end(0, index)
            self.put(shards, 0.1)
        # What it has done in this quarter of a second, twice.
        done = 10 + 25 + 75
        self.assertEqual(self.put(shards, 0.1), 0)
        self.assertEqual(len(take(shards, 0, 0.1)), 5 + 2 * done)
        # It has done nothing since.
        for index, _, _ in shards.sent_to(0):
            shards.end(0, index)
        self.assertEqual(self.put(shards, 0.3), 5 + 2 * (done + 5 + 2 * done))
        take(shards, 0, 0.3)
        for index, _, _ in shards.sent_to(0):
            shards.end(0, index)
        self.assertEqual(self.put(shards, 9.0), 10)

    def test_no_more_than_anybody_may_have(self) -> None:
        shards = sharding_of(5)
        with mock.patch.object(sharding, "MOST_SENT", 7):
            for _ in range(3):
                self.put(shards, 0.0)
                for index in take(shards, 0):
                    shards.end(0, index)
            self.assertEqual(self.put(shards, 0.0), 12)

    def test_so_many_at_once(self) -> None:
        shards = sharding_of(20)
        with mock.patch.object(sharding, "LONGEST_BATCH", 7):
            self.assertEqual(shards.room(0), 7)
            self.put(shards, 0.0)
            self.assertEqual(take(shards, 0), [*range(7)])
            self.assertEqual(take(shards, 0), [*range(7, 14)])

    def test_others_are_passed_over_so_far(self) -> None:
        shards = sharding_of(1, 1)
        with mock.patch.object(sharding, "MOST_WAITING", 10):
            for index in range(shards.room(0)):
                shards.put(index, A)
            while shards.room(0):
                take(shards, 0)
                shards.put(self.next, A)
                self.next += 1
            self.assertLess(self.next, 20)
            # Those of who has enough wait; nobody sees to the other before they do.
            self.assertEqual(take(shards, 0), [])

    def test_large_bodies(self) -> None:
        shards = sharding_of(5, 5)
        large = Job("http://a/", "PUT", body=b"x" * 1000)
        with (
            mock.patch.object(sharding, "LARGEST_SENT", 1500),
            mock.patch.object(sharding, "LARGEST_WAITING", 3000),
        ):
            self.assertTrue(shards.put(0, large))
            self.assertTrue(shards.put(1, large))
            self.assertFalse(shards.put(2, large))
            self.assertEqual(shards.room(0), 0)
            self.assertEqual(take(shards, 0), [0, 1])
            self.assertEqual(take(shards, 0), [])
            # Its room does not wait for its record.
            shards.answer(0, 0)
            self.assertEqual(take(shards, 0), [2])
            self.assertEqual(shards.room(0), 10)

    def test_no_further_ahead_than_may_be(self) -> None:
        shards = sharding_of(100, ahead=10)
        for index in range(shards.room(0)):
            shards.put(index, A)
        self.assertEqual(take(shards, 0), list(range(10)))
        shards.end(0, 1, 5)
        self.assertEqual(shards.room(0), 0)
        shards.end(0, 0, 5)
        self.assertEqual(shards.room(0), 2)

    def test_nor_with_too_much_held_back(self) -> None:
        shards = sharding_of(100, ahead=10)
        for index in range(3):
            shards.put(index, A)
        take(shards, 0)
        with mock.patch.object(sharding, "LARGEST_HELD", 100):
            shards.end(0, 2, 100)
            self.assertEqual(shards.room(0), 0)
            shards.end(0, 0, 100)
            shards.end(0, 1, 100)
            self.assertEqual(shards.room(0), 10)


class LosingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.shards = sharding_of(5, 5, 5)

    def test_others_do_what_it_had_not_done(self) -> None:
        for index, job in enumerate([A, B, C, A, B, C, A]):
            self.shards.put(index, job)
        self.assertEqual(take(self.shards, 0), [0, 3, 6])
        self.shards.end(0, 3)
        self.assertEqual(self.shards.lose(0), [])
        self.assertEqual(self.shards.lose(0), [])
        self.assertEqual(self.shards.left, 2)
        # The origin is one's again, and what is older goes first.
        self.assertEqual(take(self.shards, 1), [0, 1, 4, 6])
        self.assertEqual(take(self.shards, 2), [2, 5])
        self.assertFalse(self.shards.end(0, 0))
        self.shards.put(7, A)
        self.assertEqual(take(self.shards, 1), [7])
        self.assertEqual(self.shards.origins, 3)

    def test_it_has_no_room_any_more(self) -> None:
        self.assertEqual(self.shards.room(0), 30)
        self.shards.lose(1)
        self.assertEqual(self.shards.room(0), 20)

    def test_what_waited_for_it_waits_once(self) -> None:
        shards = sharding_of(1, 1)
        with (
            mock.patch.object(sharding, "MOST_WAITING", 6),
            mock.patch.object(sharding, "LARGEST_WAITING", 50),
        ):
            for index in range(8):
                shards.put(index, A)
            self.assertEqual(take(shards, 0), [0, 1])
            shards.lose(0)
            while indices := take(shards, 1):
                for index in indices:
                    shards.end(1, index)
            self.assertEqual(shards.room(1), 2)

    def test_what_fails_by_it_keeps_nothing_back(self) -> None:
        shards = sharding_of(5, 5, ahead=4)
        for index in range(4):
            shards.put(index, Job("http://a/", "POST"))
        take(shards, 0)
        self.assertEqual((shards.room(0), len(shards.lose(0))), (0, 4))
        self.assertEqual(shards.room(0), 4)

    def test_what_is_answered_makes_room_and_is_done_again(self) -> None:
        """Until its record is where it is safe."""
        for index in range(20):
            self.shards.put(index, A)
        self.assertEqual(take(self.shards, 0), [*range(10)])
        for index in range(7):
            self.shards.answer(0, index)
        # It was not this one's.
        self.shards.answer(0, 19)
        self.assertEqual(len(take(self.shards, 0)), 10)
        self.assertTrue(self.shards.end(0, 6))
        self.assertFalse(self.shards.end(0, 6))
        self.assertEqual(
            [index for index, _, _ in self.shards.sent_to(0)][:3], [0, 1, 2]
        )
        self.assertEqual(self.shards.lose(0), [])
        self.assertEqual(take(self.shards, 1), [*range(6), *range(7, 11)])
        self.assertFalse(self.shards.is_idle)

    def test_nobody_is_idle_before_that(self) -> None:
        self.shards.put(0, A)
        take(self.shards, 0)
        self.shards.answer(0, 0)
        self.assertFalse(self.shards.is_idle)
        self.shards.end(0, 0)
        self.assertTrue(self.shards.is_idle)

    def test_what_is_made_once_is_not_made_again(self) -> None:
        post = Job("http://a/", "POST")
        for index, job in enumerate([post, A] + [post] * 20):
            self.shards.put(index, job)
        take(self.shards, 0)
        lost = self.shards.lose(0)
        self.assertEqual(
            lost,
            [Lost(0, post, "a POST is made once")]
            + [Lost(index, post, "a POST is made once") for index in range(2, 10)],
        )
        # Those that were not sent are made.
        self.assertEqual(take(self.shards, 1), [1, *range(10, 19)])

    def test_the_last_is_lost(self) -> None:
        for index in range(20):
            self.shards.put(index, A)
        take(self.shards, 0)
        self.assertEqual(self.shards.lose(1), [])
        self.assertEqual(self.shards.lose(2), [])
        self.assertEqual(
            self.shards.lose(0),
            [Lost(index, A, "no worker is left") for index in range(20)],
        )
        self.assertEqual((self.shards.left, self.shards.room(0)), (0, 0))
        self.assertTrue(self.shards.is_idle)

    def test_a_job_that_workers_are_lost_by(self) -> None:
        shards = sharding_of(*[5] * 5)
        shards.put(0, A)
        for number in range(2):
            self.assertEqual(take(shards, number), [0])
            self.assertEqual(shards.lose(number), [])
        self.assertEqual(take(shards, 2), [0])
        self.assertEqual(shards.lose(2), [Lost(0, A, "it was with 3 that were lost")])


class StoppingTests(SynchronousTestCase):
    def test_what_was_not_sent(self) -> None:
        shards = sharding_of(1, 1)
        for index, job in enumerate([A, B, A, B, A, B]):
            shards.put(index, job)
        self.assertEqual(take(shards, 0), [0, 2])
        self.assertEqual([index for index, _, _ in shards.rest()], [1, 3, 4, 5])
        self.assertEqual(shards.sent_to(0), [(0, A, 9), (2, A, 9)])
        self.assertFalse(shards.is_idle)
        shards.end(0, 0)
        shards.end(0, 2)
        self.assertTrue(shards.is_idle)
        with mock.patch.object(sharding, "MOST_WAITING", 4):
            self.assertEqual(shards.room(0), 4)


class AnyRunTests(SynchronousTestCase):
    @settings(max_examples=examples(100), deadline=None)
    @given(st.data())
    def test_each_once_in_order_and_each_origin_at_one_worker(
        self, data: st.DataObject
    ) -> None:
        """Whatever is done first, and whoever is lost."""
        shares = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
        number = data.draw(st.integers(0, 60))
        ahead = data.draw(st.sampled_from([1, 7, 30, float("inf")]))
        shards = Sharding(shares, ahead=ahead, may_repeat=is_idempotent)
        alive = set(range(len(shares)))
        printed: list[int] = []
        in_order = InOrder[None](lambda index, _: printed.append(index))
        recorded: set[int] = set()
        sent: dict[int, set[int]] = {worker: set() for worker in alive}
        origins: dict[int, str] = {}
        now, put = 0.0, 0

        def record(index: int) -> None:
            self.assertNotIn(index, recorded)
            recorded.add(index)
            in_order.deliver(index, None)

        while len(recorded) < number:
            now += data.draw(st.sampled_from([0.0, 0.1, 1.0]))
            for _ in range(min(shards.room(now), number - put)):
                origins[put] = data.draw(st.sampled_from("abcd"))
                shards.put(put, Job(f"http://{origins[put]}/"))
                put += 1
            self.assertLessEqual(put - len(printed), ahead)
            for worker in alive:
                sent[worker].update(take(shards, worker, now))
                most = shares[worker] + max(shares[worker], 2 * len(recorded))
                self.assertLessEqual(len(sent[worker]), most)
            for one in alive:
                for other in alive - {one}:
                    self.assertFalse(
                        {origins[index] for index in sent[one]}
                        & {origins[index] for index in sent[other]}
                    )
            busy = [worker for worker in sorted(alive) if sent[worker]]
            if not alive:
                # What is left fails: there is nobody to be asked.
                for index in range(put, number):
                    record(index)
                break
            self.assertTrue(busy, "nobody has anything to do")
            worker = data.draw(st.sampled_from(busy))
            if data.draw(st.integers(0, 9)) == 0:
                alive.remove(worker)
                sent.pop(worker)
                for lost in shards.lose(worker):
                    record(lost.index)
                continue
            done = data.draw(
                st.lists(st.sampled_from(sorted(sent[worker])), unique=True)
            )
            for index in done:
                self.assertTrue(shards.end(worker, index, 1))
                self.assertFalse(shards.end(worker, index, 1))
                sent[worker].remove(index)
                record(index)
        self.assertEqual(printed, list(range(number)))
        self.assertTrue(shards.is_idle)
