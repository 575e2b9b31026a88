"""What a run was, from what was observed of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study.run import Calls, Request, Run
from tests.study.runs import a_request, a_run, five_at_once, samples

JOURNAL = {
    "took": 1.5,
    "method": "GET",
    "target": "/x",
    "headers": {"Host": "a"},
    "status": 200,
    "outcome": "answered",
    "fault": None,
    "held": 1.0,
    "sent": 19,
}


class TogetherTests(SynchronousTestCase):
    def together(self, *times: tuple[float, float | None]) -> int:
        requests = [
            a_request(number, came, ended=ended)
            for number, (came, ended) in enumerate(times, 1)
        ]
        return a_run(requests).together

    def test_none(self) -> None:
        self.assertEqual(self.together(), 0)

    def test_one_after_another(self) -> None:
        # What ends at an instant does so before the next comes at the same.
        self.assertEqual(self.together((0, 1), (1, 2), (2, 3)), 1)

    def test_all_at_once(self) -> None:
        self.assertEqual(a_run(five_at_once()).together, 5)

    def test_some_of_them(self) -> None:
        self.assertEqual(self.together((0, 3), (1, 2), (1.5, 4), (3.5, 5)), 3)

    def test_one_that_is_still_in_flight(self) -> None:
        self.assertEqual(self.together((0, None), (5, 6)), 2)


class FigureTests(SynchronousTestCase):
    def test_waiting_is_the_rest_of_the_time(self) -> None:
        run = a_run(seconds=3.0, user=0.5, system=0.25)
        self.assertAlmostEqual(run.waiting, 2.25)

    def test_there_is_no_less_than_no_waiting(self) -> None:
        # Of a program on several processors.
        self.assertEqual(a_run(seconds=1.0, user=1.5, system=0.1).waiting, 0)

    def test_the_most_of_what_was_sampled(self) -> None:
        run = a_run(
            samples=[
                *samples(0.2, threads=2, processes=1, descriptors=4, memory=7),
                *samples(0.2, threads=6, processes=3, descriptors=30, memory=9),
                *samples(0.2, threads=1, processes=2, descriptors=5, memory=8),
            ]
        )
        self.assertEqual(
            (run.threads, run.processes, run.descriptors, run.memory), (6, 3, 30, 9)
        )

    def test_what_is_known_without_samples(self) -> None:
        run = a_run(samples=())
        self.assertEqual((run.threads, run.processes, run.descriptors), (1, 1, 0))
        self.assertEqual(run.memory, run.ending.memory)

    def test_answered_are_those_that_were_answered_whole(self) -> None:
        whole = a_request(1)
        broken = a_request(2, outcome="broken", fault="reset")
        self.assertEqual(a_run([whole, broken]).answered, [whole])


class JournalTests(SynchronousTestCase):
    def test_one_that_has_ended(self) -> None:
        request = Request.of_journal(JOURNAL, 3, 0.5)
        self.assertEqual((request.number, request.came, request.ended), (3, 0.5, 2.0))
        self.assertEqual((request.target, request.status), ("/x", 200))

    def test_one_that_is_in_flight(self) -> None:
        entry = {**JOURNAL, "took": None, "outcome": "in flight", "status": None}
        self.assertIsNone(Request.of_journal(entry, 1, 0.5).ended)


class JSONTests(SynchronousTestCase):
    def test_what_is_written_is_read(self) -> None:
        run = a_run(
            stdout="日本語\n",
            stderr="\x1b",
            calls={"read": Calls(3, {"EAGAIN": 2}), "write": Calls(1)},
        )
        self.assertEqual(Run.from_json(run.as_json()), run)

    def test_of_a_run_that_was_killed_before_anything_came(self) -> None:
        run = a_run([], exit_code=None, samples=[], server_lives=False)
        self.assertEqual(Run.from_json(run.as_json()), run)

    def test_each_request_and_sample_has_a_line(self) -> None:
        lines = a_run().as_json().splitlines()
        self.assertEqual(sum('"target": "/"' in line for line in lines), 5)
        self.assertEqual(sum('"at":' in line for line in lines), 31)
