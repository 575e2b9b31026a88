"""Runs that are divided over workers, both ends on one clock."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet.defer import CancelledError, fail
from twisted.python.failure import Failure

from nbtwisted.cluster.clock import ClockDifference
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.load.figures.series import Series
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.figures.tally_json import write_tally
from nbtwisted.load.fleet import fleet_run, part
from nbtwisted.load.fleet.fleet_run import FleetRun
from nbtwisted.load.fleet.spec import write_requests
from tests.guard import ClockCase
from tests.load.fleet_in_memory import MemoryFleet
from tests.load.in_memory import ANSWER, MILLISECOND, Server, always, plan_of

HOUR = 3600.0
PATHS = [f"http://a/{path}" for path in range(7)]


class WholeTests(ClockCase):
    def test_totals_are_exact(self) -> None:
        fleet = MemoryFleet(always(0.05), 3)
        run = fleet.run(number=100, connections=10)
        self.assertEqual((run.tally.answered, run.tally.failed), (100, 0))
        self.assertEqual(len(fleet.server.requests), 100)
        self.assertEqual(fleet.server.attempts, 10)
        self.assertEqual(run.tally.bytes, 200)
        self.assertEqual(run.methods, {"GET": 100})
        rows = run.workers.rows
        self.assertEqual([row["answered"] for row in rows], [34, 33, 33])
        self.assertEqual({part.sent[0]["series"] for part in fleet.parts}, {False})
        self.assertIsNone(run.workers.partial)
        self.assertEqual(max(row["cpu"] for row in rows), run.cpu_share)

    def test_the_busiest_is_as_busy_as_all(self) -> None:
        run = MemoryFleet(always(0.01), 3).run(number=9, connections=3)
        for result, cpu_share in zip(run.workers.results, (0.2, 0.9, 0.4), strict=True):
            result.cpu_share = cpu_share
        self.assertEqual(run.cpu_share, 0.9)

    def test_fewer_requests_than_parts(self) -> None:
        run = MemoryFleet(always(0.01), 3).run(number=2, connections=3)
        self.assertEqual([row["answered"] for row in run.workers.rows], [1, 1, 0])

    def test_the_farthest_hears_when_all_begin(self) -> None:
        fleet = MemoryFleet(always(0.01), 20)
        fleet.fleet.begin()
        fleet.parts[7].clock = ClockDifference(0.0, 0.05)
        _, over = fleet.begin(number=20, connections=20)
        fleet.server.pump([MILLISECOND] * 5)
        moments = {head["start"] for each in fleet.parts for head in each.sent[1:]}
        (moment,) = moments
        self.assertLess(abs(moment - (0.1 + 20 * 0.002 + 10 * 0.05)), 0.006)
        fleet.finish(over)

    def test_a_word_that_comes_after_the_moment(self) -> None:
        self.patch(fleet_run, "LEAD", -0.06)
        fleet = MemoryFleet(always(0.01), 2)
        run = fleet.run(number=40, connections=2, rate=100.0)
        for row in run.workers.rows:
            self.assertTrue(0.03 < row["skew"] < 0.06, row)
        self.assertEqual(run.tally.answered, 40)

    def test_it_is_as_one_would_have_done(self) -> None:
        def answers(now: float, number: int) -> tuple[float, bytes]:
            path = server.requests[-1].split()[1]
            return 0.005 * 2 ** int(path[1:]), ANSWER

        plan: dict[str, Any] = {
            "urls": PATHS,
            "rate": 100.0,
            "seconds": 20,
            "connections": 60,
        }
        server = Server(answers)
        alone = server.run(**plan)
        fleet = MemoryFleet(answers, 4)
        server = fleet.server
        run = fleet.run(with_series=True, **plan)
        self.assertEqual(run.tally.sent, 2000)
        for percent in (1, 50, 90, 99, 99.9, 100):
            one, all_of = (r.tally.latencies.percentile(percent) for r in (alone, run))
            self.assertLess(abs(one - all_of), 0.0015, percent)
        self.assertLess(abs(run.seconds - alone.seconds), 0.003)
        self.assertEqual(run.methods, alone.methods)
        series = run.tally.series
        assert series is not None
        answered = [interval.statuses.total() for interval in series.intervals]
        self.assertEqual(sum(answered), 2000)
        self.assertEqual(series.intervals[-1].ended, round(run.seconds, 6))

    def test_what_is_due_is_spaced_as_of_one(self) -> None:
        came: list[float] = []

        def answers(now: float, number: int) -> tuple[float, bytes]:
            came.append(now)
            return 0.001, ANSWER

        for differences in ([0.0] * 4, [HOUR, -HOUR, 0.25, 0.0]):
            del came[:]
            MemoryFleet(answers, 4, differences).run(
                seconds=2, rate=200.0, connections=4
            )
            self.assertEqual(len(came), 400)
            gaps = [after - before for before, after in pairwise(came)]
            self.assertLess(max(abs(gap - 0.005) for gap in gaps), 0.0021)

    def test_all_begin_at_one_moment(self) -> None:
        fleet = MemoryFleet(always(0.01), 3, [HOUR, -HOUR, 0.0])
        run = fleet.run(number=30, connections=3)
        began = {each.began for each in fleet.sent_by}
        self.assertLess(max(began) - min(began), 1e-6)
        rows = run.workers.rows
        self.assertEqual([row["clock"] for row in rows], [HOUR, -HOUR, 0.0])
        for row in rows:
            self.assertLess(abs(row["skew"]), 0.0011)
        self.assertLess(abs(run.seconds - 0.1), 0.015)

    def test_one_that_begins_late(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        run, over = fleet.begin(number=40, connections=2, rate=100.0)
        fleet.server.advance(0)
        # As if the word to begin, or the process, had been held up.
        calls: Any = fleet.server.getDelayedCalls()
        for call in calls:
            if call.func.__name__ == "_begin":
                call.delay(0.05)
                break
        else:
            self.fail("nobody waits for the moment")
        fleet.finish(over)
        skews = sorted(row["skew"] for row in run.workers.rows)
        self.assertLess(abs(skews[1] - skews[0] - 0.05), 0.0021)
        # What is due is due as if it had not.
        one, other = (each.began for each in fleet.sent_by)
        self.assertLess(abs(one - other), 1e-6)
        self.assertEqual(run.tally.answered, 40)
        self.assertLess(abs(run.seconds - 0.4), 0.02)

    def test_a_warm_up(self) -> None:
        fleet = MemoryFleet(always(0.02), 2)
        run = fleet.run(number=40, rate=100.0, warm_up=0.5, connections=20)
        self.assertEqual(run.tally.sent, 40)
        self.assertEqual(len(fleet.server.requests), 90)
        self.assertLess(abs(run.seconds - 0.41), 0.02)
        # It does not count while it goes on, either.
        fleet = MemoryFleet(always(0.02), 2)
        run, over = fleet.begin(seconds=9, warm_up=0.5, connections=2)
        fleet.server.pump([MILLISECOND] * 1000)
        self.assertLess(abs(run.seconds - 0.38), 0.02)
        run.stop()
        stopped_after = run.workers.stopped_after
        assert stopped_after is not None
        self.assertLess(abs(stopped_after - run.seconds), 1e-6)
        fleet.finish(over)

    def test_fewer_connections_than_workers(self) -> None:
        fleet = MemoryFleet(always(0.01), 3)
        fleet.fleet._most = 2
        run = fleet.run(number=10, connections=2)
        self.assertEqual(run.tally.answered, 10)
        self.assertEqual(len(fleet.parts), 2)
        self.assertIn("2 of 3 workers took part", run.workers.warnings[0])

    def test_many_runs(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        for number in (10, 25, 11):
            run = fleet.run(number=number, connections=4)
            self.assertEqual(run.tally.answered, number)
        self.assertEqual(len(fleet.parts), 2)
        self.assertEqual(fleet.server.getDelayedCalls(), [])

    def test_the_figures_so_far(self) -> None:
        fleet = MemoryFleet(always(0.1), 2)
        run, over = fleet.begin(seconds=3, connections=10)
        self.assertEqual((run.seconds, run.tally.answered), (0.0, 0))
        fleet.server.pump([MILLISECOND] * 1750)
        self.assertLess(abs(run.seconds - 1.64), 0.02)
        # Each has told after 0.5 s, or 0.25, and twice again.
        self.assertTrue(110 <= run.tally.answered <= 140, run.tally.answered)
        self.assertLess(abs(run.tally.latencies.percentile(50) - 0.1), 0.003)
        self.assertIs(run.tally, run.tally)
        fleet.finish(over)
        self.assertEqual(run.tally.answered, 300)

    def test_a_thousand_tell_less_often(self) -> None:
        few, many = MemoryFleet(always(0.01), 2), MemoryFleet(always(0.01), 200)
        for each in (few, many):
            each.begin(seconds=10, connections=200)
        self.assertEqual(few.parts[0].sent[0]["interval"], 0.5)
        spec = [part.sent[0] for part in many.parts]
        self.assertEqual({each["interval"] for each in spec}, {2.0})
        self.assertEqual(len({each["phase"] for each in spec}), 200)

    def test_a_driver_that_reads_slowly(self) -> None:
        fleet = MemoryFleet(always(0.01), 1)
        run, over = fleet.begin(seconds=3, connections=1)
        fleet.parts[0].driver.is_full = True
        fleet.server.pump([MILLISECOND] * 2000)
        self.assertEqual(run.tally.answered, 0)
        fleet.finish(over)
        self.assertGreater(run.tally.answered, 270)


class StoppedTests(ClockCase):
    def stopped(
        self, fleet: MemoryFleet, after: float, most: float
    ) -> tuple[FleetRun, list[object]]:
        run, over = fleet.begin(seconds=60, connections=10)
        fleet.server.pump([MILLISECOND] * round(after * 1000))
        run.stop()
        run.stop()
        fleet.finish(over, most)
        self.assertEqual(over, [None])
        self.assertEqual(fleet.server.getDelayedCalls(), [])
        for each in fleet.parts:
            self.assertEqual(each.sent.count({"stop": True}), 1)
        return run, over

    def test_all_have_told_what_came(self) -> None:
        fleet = MemoryFleet(always(0.1), 2)
        run, _ = self.stopped(fleet, 2.15, 0.1)
        self.assertEqual(run.tally.answered, 200)
        self.assertEqual({kind for kind, _, _ in run.tally.errors}, {"Interrupted"})
        self.assertIsNone(run.workers.partial)

    def test_before_it_began(self) -> None:
        for after in (0.0, 0.05):
            fleet = MemoryFleet(always(0.1), 2)
            run, _ = self.stopped(fleet, after, 0.1)
            self.assertEqual((run.tally.sent, run.seconds), (0, 0.0))
            self.assertEqual(fleet.server.attempts, 0)

    def test_before_it_began_as_the_one_before_had(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        fleet.run(number=10, connections=10)
        _, over = fleet.begin(number=10, connections=10)
        fleet.server.pump([MILLISECOND] * 50)
        assert fleet.fleet._run is not None
        fleet.fleet._run.stop()
        fleet.finish(over)
        rows = fleet.fleet._run.workers.rows
        self.assertEqual([(row["skew"], row["cpu"]) for row in rows], [(None, 0.0)] * 2)

    def test_another_plan_in_place_of_one(self) -> None:
        fleet = MemoryFleet(always(0.01), 1)
        run, over = fleet.begin(number=100, connections=1)
        requests = write_requests(plan_of().requests)
        fleet.server.pump([MILLISECOND] * 500)
        # While one is carried out, there is no other.
        fleet.parts[0].send(fleet.parts[0].sent[0], requests)
        fleet.finish(over)
        self.assertEqual(run.tally.answered, 100)
        run, over = fleet.begin(number=100, connections=1)
        fleet.server.pump([MILLISECOND] * 50)
        # Before it has begun, another takes its place, and its moment is none.
        fleet.parts[0].send(fleet.parts[0].sent[-2], requests)
        fleet.server.advance(0)
        calls: Any = fleet.server.getDelayedCalls()
        self.assertNotIn("_begin", [call.func.__name__ for call in calls])
        fleet.parts[0].lose()

    def test_one_that_does_not_stop(self) -> None:
        fleet = MemoryFleet(always(0.1), 2)
        run, over = fleet.begin(seconds=60, connections=10)
        fleet.server.pump([MILLISECOND] * 2150)
        # Its process is stopped, say, or its machine is off.
        fleet.parts[1].driver.listener = None
        fleet.parts[1].driver.way.cut()
        run.stop()
        fleet.server.pump([MILLISECOND] * 1400)
        self.assertEqual(over, [])
        fleet.server.pump([MILLISECOND] * 101)
        self.assertEqual(over, [None])
        self.assertTrue(fleet.parts[1].is_over)
        row = run.workers.rows[1]
        self.assertEqual(row["lost"], "it did not stop within 1.5 s")
        # Until it was last heard of, at two seconds of the run.
        self.assertTrue(95 <= row["answered"] <= 100, row)
        partial = run.workers.partial
        assert partial is not None
        self.assertLess(partial["lost_share"], 0.05)

    def test_a_driver_that_is_gone(self) -> None:
        fleet = MemoryFleet(always(0.1), 1)
        fleet.begin(seconds=60, connections=10)
        fleet.server.pump([MILLISECOND] * 500)
        gone: list[object] = []
        fleet.programs[0].gone.addCallback(gone.append)
        fleet.parts[0].driver.leave()
        self.assertEqual(gone, [None])
        fleet.server.advance(MILLISECOND)
        self.assertEqual(fleet.server.open, set())


class LostTests(ClockCase):
    def test_before_it_could_be_started(self) -> None:
        fleet = MemoryFleet(always(0.01), 4, refusing=["1"])
        run = fleet.run(number=100, connections=8)
        self.assertEqual(run.tally.answered, 75)
        self.assertEqual(run.workers.partial, {"lost_share": 0.25, "workers": ["1"]})
        self.assertEqual(run.workers.rows[3]["lost"], "no part can begin")
        # It is none of those of the next run.
        run = fleet.run(number=100, connections=8)
        self.assertEqual(run.tally.answered, 100)
        self.assertIsNone(run.workers.partial)

    def test_since_it_was_started(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        fleet.fleet.begin()
        fleet.parts[0].lose("signal 9")
        # It is lost once.
        fleet.fleet.part_lost(fleet.parts[0], "signal 15")
        run = fleet.run(number=100, connections=8)
        self.assertEqual(run.tally.answered, 50)
        self.assertEqual(run.workers.rows[1]["lost"], "signal 9")

    def test_none_can_be_started(self) -> None:
        fleet = MemoryFleet(always(0.01), 2, refusing=["0", "1"])
        failure = self.failureResultOf(fleet.fleet.begin(), ClusterError)
        self.assertEqual(failure.getErrorMessage(), "worker 0: no part can begin")
        self.successResultOf(fleet.fleet.end())
        self.assertTrue(fleet.cluster.is_closed)

    def test_to_start_them_is_cancelled(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        self.patch(fleet.cluster, "start_part", lambda *_: fail(CancelledError()))
        self.failureResultOf(fleet.fleet.begin(), CancelledError)

    def test_before_it_began(self) -> None:
        fleet = MemoryFleet(always(0.01), 4)
        run, over = fleet.begin(number=100, connections=4)
        fleet.parts[2].lose("signal 9")
        fleet.finish(over)
        self.assertEqual(run.tally.answered, 75)
        self.assertEqual(run.workers.partial, {"lost_share": 0.25, "workers": ["2"]})
        self.assertEqual(run.workers.rows[2]["lost"], "signal 9")

    def test_between_ready_and_the_moment(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        run, over = fleet.begin(number=100, connections=4)
        fleet.server.pump([MILLISECOND] * 50)
        fleet.parts[0].lose()
        fleet.finish(over)
        self.assertEqual(run.tally.answered, 50)
        self.assertIsNone(run.workers.rows[0]["skew"])

    def test_in_the_middle(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        run, over = fleet.begin(seconds=10, rate=100.0, connections=4)
        fleet.server.pump([MILLISECOND] * 5200)
        fleet.parts[1].lose("signal 9")
        fleet.finish(over)
        self.assertEqual(over, [None])
        first, second = run.workers.rows
        self.assertEqual(first["answered"], 500)
        # It had told after 5 s.
        self.assertTrue(248 <= second["answered"] <= 251, second)
        self.assertEqual(run.tally.answered, 500 + second["answered"])
        partial = run.workers.partial
        assert partial is not None
        self.assertLess(abs(partial["lost_share"] - 0.25), 0.002)
        self.assertEqual(run.methods, {"GET": run.tally.sent})

    def test_what_it_had_told_is_in_the_series(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        run, over = fleet.begin(
            tally=Tally(Series()), seconds=3, rate=100.0, connections=4
        )
        fleet.server.pump([MILLISECOND] * 1800)
        fleet.parts[1].lose()
        fleet.finish(over)
        series = run.tally.series
        assert series is not None
        answered = [interval.statuses.total() for interval in series.intervals]
        self.assertEqual(sum(answered), run.tally.answered)
        self.assertEqual(set(answered[1:14]), {10})
        self.assertEqual(set(answered[17:29]), {5})

    def test_after_its_part(self) -> None:
        fleet = MemoryFleet(always(0.1), 2)
        run, over = fleet.begin(number=3, connections=2)
        # The one has two requests to make, and the other one.
        fleet.server.pump([MILLISECOND] * 300)
        self.assertEqual(over, [])
        # What it says then is nothing.
        fleet.parts[1].driver.send({"tally": 0, "is_last": True})
        fleet.server.advance(0)
        self.assertIsNone(run.workers.rows[1]["lost"])
        fleet.parts[1].lose()
        fleet.finish(over)
        self.assertEqual(run.tally.answered, 3)
        self.assertIsNone(run.workers.partial)
        # It has no part in those that follow.
        run = fleet.run(number=10, connections=2)
        self.assertEqual(run.tally.answered, 10)
        self.assertEqual(len(run.workers.rows), 1)

    def test_all_of_them(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        _, over = fleet.begin(number=100, connections=2)
        fleet.server.pump([MILLISECOND] * 300)
        for each in fleet.parts:
            each.lose()
        self.assertEqual(over, [None])
        fleet.server.advance(MILLISECOND)
        self.assertEqual(fleet.server.getDelayedCalls(), [])
        _, over = fleet.begin(number=100, connections=2)
        (failure,) = over
        assert isinstance(failure, Failure)
        failure.trap(ClusterError)
        self.assertEqual(failure.getErrorMessage(), "no worker is left")

    def test_one_that_says_what_is_no_tally(self) -> None:
        tally = write_tally(Tally(), with_series=False)
        figures = {"seconds": 1, "cpu": 1, "skew": 0, "methods": 5, "is_last": True}
        for told in (
            {},
            {"tally": {}, "is_last": True},
            {"tally": 5, "is_last": 0},
            {"tally": tally, "is_last": True},
            {"tally": tally, **figures},
        ):
            fleet = MemoryFleet(always(0.01), 2)
            run, over = fleet.begin(number=100, connections=2)
            fleet.parts[0].driver.send({"tally": 0, **told})
            fleet.finish(over)
            row = run.workers.rows[0]
            self.assertIn("what it says is no tally", row["lost"])
            self.assertEqual(run.tally.answered, 50)

    def refused(self, fleet: MemoryFleet) -> str:
        run, over = fleet.begin(number=100, connections=10)
        fleet.server.pump([MILLISECOND] * 10)
        (failure,) = over
        assert isinstance(failure, Failure)
        failure.trap(ClusterError)
        run.stop()
        self.assertEqual(fleet.server.getDelayedCalls(), [])
        return failure.getErrorMessage()

    def test_one_that_may_open_too_few_files(self) -> None:
        self.patch(part, "open_files_left", lambda: 4)
        self.assertIn(
            "worker 0: 5 connections: expected at most 4, which is how many files",
            self.refused(MemoryFleet(always(0.01), 2)),
        )
        self.patch(part, "open_files_left", lambda: 5)
        run = MemoryFleet(always(0.01), 2).run(number=100, connections=10)
        self.assertEqual(run.tally.answered, 100)

    def test_one_that_lacks_something(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        fleet.lacks = "no OpenSSL"
        self.assertEqual(self.refused(fleet), "worker 0: no OpenSSL")

    def test_one_that_says_nothing_any_more(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        run, over = fleet.begin(seconds=40, connections=2)
        fleet.server.pump([0.01] * 100)
        fleet.parts[0].driver.way.cut()
        fleet.server.pump([0.01] * 2100)
        self.assertIsNone(run.workers.rows[0]["lost"])
        fleet.server.pump([0.01] * 250)
        self.assertEqual(run.workers.rows[0]["lost"], "it has said nothing for 20.5 s")
        self.assertTrue(fleet.parts[0].is_over)
        run.stop()
        fleet.finish(over)

    def test_one_that_has_waited_for_others(self) -> None:
        self.patch(fleet_run, "INTERVAL", 3.0)
        fleet = MemoryFleet(always(0.01), 2)
        fleet.fleet.begin()
        fleet.parts[1].driver.way.cut()
        run, over = fleet.begin(seconds=5, connections=2)
        fleet.server.pump([0.1] * 630)
        self.assertEqual(over, [])
        fleet.finish(over)
        lost = [row["lost"] for row in run.workers.rows]
        self.assertEqual(lost, [None, "it has said nothing for 60 s"])

    def test_one_that_is_never_ready(self) -> None:
        fleet = MemoryFleet(always(0.01), 2)
        fleet.fleet.begin()
        fleet.parts[0].driver.way.cut()
        run, over = fleet.begin(number=10, connections=2)
        fleet.server.pump([0.1] * 630)
        self.assertEqual(over, [None])
        self.assertEqual(run.workers.rows[0]["lost"], "it has said nothing for 60 s")
        self.assertEqual(run.tally.answered, 5)
