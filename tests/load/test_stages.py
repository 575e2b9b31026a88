"""Runs whose rate varies: what they send, what was missed, and what is said of it."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any

from nbtwisted.client.job import Job
from nbtwisted.load.figures.series import Interval, Series
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.plan import Plan
from nbtwisted.load.reporting.report import report, text
from nbtwisted.load.reporting.stages import stage_figures, stage_lines
from nbtwisted.load.run import Run
from nbtwisted.load.schedule.profile import Profile
from tests.guard import ClockCase
from tests.load.in_memory import MILLISECOND, Server, always, plan_of


def report_of(run: Run, plan: Plan) -> dict[str, Any]:
    return report(
        run.tally,
        seconds=run.seconds,
        cpu_share=0.1,
        connections=plan.connections,
        rate=plan.rate,
        timeout=20.0,
        urls=["http://x/"],
        methods=run.methods,
        interrupted=False,
        arrivals=plan.open_loop,
    )


class StagesTests(ClockCase):
    def test_each_is_sent_at_its_time(self) -> None:
        arrived: list[float] = []

        def answers(now: float, number: int) -> tuple[float, bytes]:
            arrived.append(now)
            return always(0.01)(now, number)

        profile = Profile.parse("0..100/2,100/1,0/1,50/1")
        run = Server(answers).run(profile=profile, connections=10)
        self.assertEqual((run.tally.sent, run.tally.not_sent), (250, 0))
        for position, moment in enumerate(arrived):
            late = moment - profile.moment(position)
            self.assertTrue(-1e-9 <= late < 0.002, (position, late))
        self.assertEqual(Counter(map(int, arrived)), {0: 25, 1: 75, 2: 100, 4: 50})

    def test_a_number_ends_it(self) -> None:
        run = Server(always(0.01)).run(
            profile=Profile.parse("10/1,100"), number=60, connections=10
        )
        self.assertEqual(run.tally.sent, 60)
        self.assertLess(abs(run.seconds - 1.5), 0.02)

    def test_parts_are_on_time_and_take_their_turns(self) -> None:
        urls = [f"http://127.0.0.1/{turn}" for turn in range(3)]
        profile = Profile.parse("0..40/2")
        asked: Counter[bytes] = Counter()
        for first in range(2):
            server = Server(always(0.01))
            run = server.run(
                profile=profile, first=first, step=2, connections=5, urls=urls
            )
            self.assertEqual(run.tally.sent, 20)
            asked.update(request.split()[1] for request in server.requests)
        self.assertEqual(asked, {b"/0": 14, b"/1": 13, b"/2": 13})

    def test_methods_of_parts(self) -> None:
        jobs = [Job("http://a/", "PUT"), Job("http://a/"), Job("http://a/", "DELETE")]
        server = Server(always(0.01))
        run = server.run(
            jobs=jobs, first=1, step=2, number=4, rate=100.0, warm_up=0.1, connections=1
        )
        sent = [request.split()[0].decode() for request in server.requests]
        # The turns 1, 3, 5 and so on; five of them are a warm-up.
        self.assertEqual(sent[:3], ["GET", "PUT", "DELETE"])
        self.assertEqual(len(sent), 9)
        self.assertEqual(run.methods, Counter(sent[5:]))

    def test_the_warm_up_has_the_first_rate(self) -> None:
        server = Server(always(0.01))
        run = server.run(profile=Profile.parse("50..0/1"), warm_up=2.0, connections=10)
        self.assertEqual((len(server.requests), run.tally.sent), (125, 25))

    def test_what_no_connection_was_free_for(self) -> None:
        for arrivals in ("constant", "poisson"):
            run = Server(always(0.5)).run(
                profile=Profile.parse("100/1,0..100/2"),
                arrivals=arrivals,
                seed=1,
                connections=1,
            )
            tally = run.tally
            self.assertEqual(tally.sent, 7)
            if arrivals == "constant":
                self.assertEqual(tally.sent + tally.not_sent, 200)
            else:
                self.assertLess(abs(tally.sent + tally.not_sent - 200), 60)

    def test_what_was_due_when_it_was_stopped(self) -> None:
        for told, due in (
            ({"rate": 100.0, "seconds": 60.0}, 151),
            ({"rate": 100.0, "number": 1000}, 151),
            ({"rate": 100.0, "number": 30}, 30),
            ({"profile": Profile.parse("0..100/1,100/60")}, 101),
            ({"profile": Profile.parse("100/60"), "first": 1, "step": 2}, 75),
            ({"number": 1000}, None),
        ):
            server = Server(always(0.4))
            run, over = server.begin(connections=2, **told)
            server.pump([MILLISECOND] * 1505)
            run.stop()
            server.pump([MILLISECOND] * 10)
            self.assertTrue(over)
            tally = run.tally
            self.assertEqual(tally.sent, 8)
            self.assertEqual(tally.not_sent, 0 if due is None else due - 8)

    def test_a_report(self) -> None:
        plan = plan_of(profile=Profile.parse("0..100/2,100/1,0/0.01,50/2"))
        server = Server(always(0.02))
        run = server.run_with(plan, Tally(Series()))
        found = report_of(run, plan)
        self.assertIsNone(found["rate"])
        self.assertEqual((found["arrivals"], found["seed"]), ("constant", None))
        self.assertIsNotNone(found["uncorrected"])
        ramp, hold, pause, last = found["stages"]
        self.assertEqual(
            [(ramp[name], pause[name]) for name in ("began", "ended", "from", "to")],
            [(0.0, 3.0), (2.0, 3.01), (0.0, 0.0), (100.0, 0.0)],
        )
        self.assertEqual(sum(each["answered"] or 0 for each in found["stages"]), 300)
        self.assertLess(abs(ramp["rps"] - 50), 5)
        self.assertLess(abs(hold["rps"] - 100), 10)
        self.assertLess(abs(last["rps"] - 50), 5)
        self.assertLess(abs(hold["p50"] - 0.02), 0.002)
        lines = text(found, run.tally).splitlines()
        at = lines.index("Stages:") + 2
        rows = [line.split() for line in lines[at : at + 4]]
        self.assertEqual(
            [row[:3] for row in rows],
            [
                ["0", "s", "0..100"],
                ["2", "s", "100"],
                ["3", "s", "0"],
                ["3.01", "s", "50"],
            ],
        )

    def test_arrivals_that_are_drawn(self) -> None:
        plan = plan_of(rate=50.0, number=100, arrivals="poisson", seed=7)
        run = Server(always(0.01)).run_with(plan)
        found = report_of(run, plan)
        self.assertEqual(
            (found["sent"], found["rate"], found["arrivals"], found["seed"]),
            (100, 50.0, "poisson", 7),
        )
        self.assertIsNone(found["stages"])
        self.assertIn(
            "Arrivals:     a Poisson process (--seed 7)", text(found, run.tally)
        )


def interval(
    began: float, ended: float, *latencies: float, failed: int = 0
) -> Interval:
    made = Interval(began)
    made.ended = ended
    made.latencies.add(array("d", latencies))
    made.statuses["2xx"] += len(latencies)
    made.errors["ConnectionLost"] += failed
    return made


class FiguresTests(ClockCase):
    def test_each_interval_is_in_one(self) -> None:
        series = Series()
        series.intervals = [
            interval(0, 1, *[0.1] * 100),
            interval(1, 2.5, *[0.2] * 30, failed=3),
            interval(2.5, 3.2, failed=1),
            # Its middle is behind the end of the first stage, and of the second.
            interval(3.2, 4, *[0.3] * 30),
            interval(4, 9, 0.5),
        ]
        first, short, last = stage_figures(Profile.parse("100/3,1..2/0.2,5"), series)
        self.assertEqual((first["answered"], first["failed"]), (130, 4))
        self.assertEqual(first["rps"], 130 / 3.2)
        self.assertLess(abs(first["p50"] - 0.1), 0.001)
        self.assertLess(abs(first["p99"] - 0.2), 0.002)
        self.assertEqual(
            short,
            {"began": 3.0, "ended": 3.2, "from": 1.0, "to": 2.0}
            | dict.fromkeys(("answered", "failed", "rps", "p50", "p99")),
        )
        self.assertEqual((last["answered"], last["ended"]), (31, None))
        # Of so few it would be no more than the slowest.
        self.assertIsNone(last["p99"])
        lines = stage_lines([first, short, last])
        self.assertEqual([*map(len, lines[1:])], [len(lines[1])] * 4)
        self.assertEqual(lines[3].split(), ["3", "s", "1..2", *"-----"])
        lines = stage_lines([last] * 1000)
        self.assertEqual(lines[-1], "  and 950 more (--json has all)")
        self.assertEqual(len(lines), 53)

    def test_what_is_after_the_end_is_in_the_last(self) -> None:
        series = Series()
        series.intervals = [interval(0, 1, 0.1), interval(1, 30, 0.2)]
        (only,) = stage_figures(Profile.parse("1/1"), series)
        self.assertEqual((only["answered"], only["rps"]), (2, 2 / 30))
        (unseen,) = stage_figures(Profile.parse("1/1"), None)
        self.assertIsNone(unseen["answered"])
