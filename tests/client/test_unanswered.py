"""Lists of which a part was answered before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job
from nbtwisted.client.many.job_list import Given
from nbtwisted.client.many.unanswered import Unanswered
from tests.guard import ClockCase


def number(job: Job | BadJob) -> int:
    assert isinstance(job, Job)
    return int(job.url)


class UnansweredCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.reactor = Clock()
        self.asked: list[int] = []

    def jobs(self, length: int, answered: set[int], wrong: int = -1) -> Unanswered:
        def is_answered(index: int, job: Job | BadJob) -> bool:
            self.assertEqual(number(job), index)
            self.asked.append(index)
            if index == wrong:
                raise KeyError(index)
            return index in answered

        given = Given(map(str, range(length)))
        return Unanswered(self.reactor, given, is_answered, KeyError)

    def took(self, jobs: Unanswered) -> int | None:
        job = jobs.take()
        return None if job is None else number(job)


class TakingTests(UnansweredCase):
    def test_those_that_are_left(self) -> None:
        jobs = self.jobs(5, {0, 2, 4})
        self.assertEqual([self.took(jobs) for _ in range(3)], [1, 3, None])
        self.assertTrue(jobs.is_over)
        self.assertEqual((jobs.length, jobs.error), (5, None))

    def test_where_they_stand_in_the_list(self) -> None:
        jobs = self.jobs(5, {0, 2, 4})
        for _ in range(2):
            jobs.take()
        told: list[tuple[str, int, str]] = []

        def begin(index: int, what: str) -> None:
            told.append(("begun", index, what))

        def end(index: int, what: str) -> None:
            told.append(("ended", index, what))

        begun, ended = jobs.begun(begin), jobs.ended(end)
        assert begun is not None
        begun(0, "a")
        ended(1, "b")
        ended(0, "a")
        self.assertEqual(
            told,
            [
                ("begun", 1, "a"),
                ("ended", 3, "b"),
                ("ended", 1, "a"),
            ],
        )
        self.assertEqual(jobs._positions, {})
        self.assertIsNone(jobs.begun(None))

    def test_a_great_many_are_passed_over_in_turns(self) -> None:
        jobs = self.jobs(1200, set(range(1200)) - {1199})
        told: list[int | None] = []
        jobs.on_more = lambda: told.append(self.took(jobs))
        self.assertIsNone(self.took(jobs))
        # Whoever asks again makes this turn no longer.
        self.assertIsNone(self.took(jobs))
        self.assertEqual((len(self.asked), jobs.is_over), (500, False))
        self.reactor.pump([0, 0])
        self.assertEqual(told, [None, 1199])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_closed_while_it_passes_over(self) -> None:
        jobs = self.jobs(1200, set(range(1200)))
        self.assertIsNone(self.took(jobs))
        jobs.close()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_the_rest_of_a_long_list(self) -> None:
        jobs = self.jobs(100_002, set(range(99_999)))
        self.assertEqual([number(job) for job in jobs.rest()], [99_999])

    def test_the_list_has_more(self) -> None:
        given = Given([])
        jobs = Unanswered(self.reactor, given, lambda index, job: False, KeyError)
        told: list[bool] = []
        jobs.on_more = lambda: told.append(True)
        given.on_more()
        self.assertEqual(told, [True])


class WrongListTests(UnansweredCase):
    def test_it_ends(self) -> None:
        jobs = self.jobs(5, {0}, wrong=2)
        self.assertEqual([self.took(jobs), self.took(jobs)], [1, None])
        self.assertTrue(jobs.is_over)
        self.assertIsInstance(jobs.error, KeyError)
        self.assertIsNone(self.took(jobs))
        self.assertEqual(self.asked, [0, 1, 2])
        self.assertEqual(list(jobs.rest()), [])

    def test_it_ends_among_the_rest(self) -> None:
        jobs = self.jobs(5, {1}, wrong=3)
        self.assertEqual([number(job) for job in jobs.rest()], [0, 2])
        self.assertIsInstance(jobs.error, KeyError)


class AnyListTests(UnansweredCase):
    @given(st.sets(st.integers(0, 9)), st.integers(0, 10))
    def test_taken_and_the_rest(self, answered: set[int], taken: int) -> None:
        jobs = self.jobs(10, answered)
        left = [index for index in range(10) if index not in answered]
        found = [self.took(jobs) for _ in range(min(taken, len(left)))]
        found += [number(job) for job in jobs.rest()]
        self.assertEqual(found, left)
        self.assertEqual(list(jobs._positions.values()), left)
