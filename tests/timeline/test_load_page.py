"""The page of a load run: whole, small, and nothing in it that was not put there."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nbtwisted.timeline.load.page import load_page
from tests import examples
from tests.guard import ClockCase
from tests.timeline.load_run import (
    BEGAN,
    CURVE,
    FOUR,
    HOSTILE,
    NOTHING,
    Read,
    interval,
    latency,
    page,
    report,
)


class LoadPageTests(ClockCase):
    def test_says_what_was_run(self) -> None:
        read = Read(page())
        for said in [
            "Load on http://127.0.0.1:8000/?_delay=0",
            "40 requests in 300 ms over 5 connections, each asked again when it had "
            "been answered (a closed loop). It began on 2023-11-14 22:13:20 UTC.",
            "All of it is in this page as JSON",
            "no request failed",
        ]:
            self.assertIn(said, read.text)
        self.assertEqual(read.count("figure"), 3)
        # Each is drawn for wide and for narrow.
        self.assertEqual(read.count("svg", role="img"), 6)
        self.assertNotIn("coordinated", read.text)

    def test_says_what_was_sent_if_it_is_more_than_gets(self) -> None:
        self.assertNotIn("40 GET", page())
        found = report(methods={"PO&ST": 1030, "GET": 10})
        self.assertIn("40 requests (1,030 PO&amp;ST, 10 GET) in ", page(found))

    def test_says_how_many_urls_are_left_out(self) -> None:
        urls = [f"http://x/{n}" for n in range(12)]
        found = page(report(urls=urls, urls_left_out=88))
        self.assertIn("http://x/9</bdi></code>, and 90 more.", found)

    def test_both_latencies_of_an_open_loop(self) -> None:
        found = report(rate=100.0, uncorrected=latency(0.002), interrupted=True)
        intervals = [{**each, "uncorrected": each["latency"]} for each in FOUR]
        text = page(found, intervals, [(s, v / 5) for s, v in CURVE])
        read = Read(text)
        self.assertIn("at 100 a second, whether those before were answered", read.text)
        self.assertIn("it was interrupted", read.text)
        self.assertIn("what coordinated omission would have hidden", read.text)
        self.assertIn("Counted from when they were sent, 99% took 2.00 ms", read.text)
        # In the key, and in both drawings.
        self.assertEqual(read.count("path", **{"class": "between"}), 3)
        self.assertEqual(read.count("path", **{"class": "line uncorrected"}), 6)

    def test_no_percentile_of_too_few_answers(self) -> None:
        def without(*names: str) -> list[dict[str, Any]]:
            few = dict.fromkeys(names)
            return [{**each, "latency": {**each["latency"], **few}} for each in FOUR]

        for intervals, there, gone in [
            (without("p99"), "p90 is 20.0 ms in each interval", "p99"),
            (without("p99", "p90"), "p50 is 10.0 ms in each interval", "p90"),
        ]:
            read = Read(page(intervals=intervals))
            self.assertIn(there, read.text)
            key = read.text.partition(there)[2].partition("The same as a table")[0]
            self.assertNotIn(gone, key)
            self.assertNotIn("None", read.text)
        # One that has too few is left out, and the line is broken there.
        gap = [FOUR[0], without("p99")[1], *FOUR[2:]]
        read = Read(page(intervals=gap))
        self.assertIn("p99 is 30.0 ms in each interval.", read.text)
        self.assertIn("–", read.text)

    def test_rates_of_shorter_intervals(self) -> None:
        short = [
            interval(n / 20, (n + 1) / 20, answered=5, statuses={"2xx": 5})
            for n in range(8)
        ]
        text = load_page(
            report(),
            began=BEGAN,
            intervals=FOUR,
            curves={"latency": CURVE, "uncorrected": None},
            conditions=[],
            rates=short,
        )
        read = Read(text)
        rows = [found["data-x"] for name, found in read.elements if "data-x" in found]
        self.assertEqual(len(rows), 4 + len(CURVE) + 8)
        self.assertEqual(json.loads(read.data)["rates"], short)
        self.assertIsNone(json.loads(Read(page()).data)["rates"])

    def test_what_a_chart_says_is_so(self) -> None:
        slow = {"p50": 0.1, "p90": 0.2, "p99": 2.5, "max": 3.0}
        intervals = [*FOUR[:2], interval(0.2, 0.3, latency=slow), FOUR[3]]
        read = Read(page(intervals=[*intervals, interval(0.4, 0.5, **NOTHING)]))
        self.assertIn(
            "p99 is lowest at 0.00–0.10 s with 30.0 ms and highest at "
            "0.20–0.30 s with 2.50 s. In 1 of 5 intervals no answer came.",
            read.text,
        )
        self.assertIn("latency, on a logarithmic scale", read.text)

    def test_what_is_hostile_is_text(self) -> None:
        error = {"type": "<b>", "phase": "<i>", "message": HOSTILE, "count": 3}
        found = report(
            urls=[HOSTILE, HOSTILE], failed=3, sent=43, errors=[error], warnings=["<u>"]
        )
        intervals = [*FOUR, interval(0.4, 0.5, failed=3, errors={"<s>": 3})]
        conditions = [{"text": "p99>1s<q>", "shown": "<q>", "value": 1, "holds": True}]
        text = page(found, intervals, conditions=conditions)
        text.encode("utf-8")
        # Neither in the picture nor in the data.
        self.assertTrue(text.replace("\n", "").isprintable())
        read = Read(text)
        names = {name for name, _ in read.elements}
        self.assertEqual(names & {"img", "b", "i", "u", "s", "q"}, set())
        self.assertEqual(read.count("script"), 2)
        for _, attributes in read.elements:
            self.assertFalse([key for key in attributes if key.startswith("on")])
            self.assertNotIn("style", attributes)
        self.assertIn("<img src=x onerror=alert(1)>", read.text)
        # What would turn it round, or has no bytes, is seen.
        self.assertIn(r"\u202e\ud800\x1b", read.text)
        self.assertEqual(json.loads(read.data)["report"]["errors"][0]["type"], "<b>")

    def test_data(self) -> None:
        conditions = [
            {"text": "p99>1s", "shown": "no answer", "value": None, "holds": True}
        ]
        read = Read(page(conditions=conditions))
        data = json.loads(read.data)
        self.assertEqual(data["began"], "2023-11-14T22:13:20.250+00:00")
        self.assertEqual(data["report"]["statuses"], {"200": 40})
        self.assertEqual(data["series"], FOUR)
        self.assertEqual(data["curves"]["latency"], [list(each) for each in CURVE])
        self.assertEqual(data["conditions"], conditions)

    def test_conditions(self) -> None:
        conditions = [
            {"text": "p99>1s", "shown": "2.0 s", "value": 2.0, "holds": True},
            {"text": "errors>1%", "shown": "0.00%", "value": 0, "holds": False},
        ]
        read = Read(page(conditions=conditions))
        self.assertIn("failed p99>1s: it is 2.0 s", read.text)
        # The verdict comes first.
        self.assertLess(
            read.text.index("failed p99>1s"), read.text.index("answers a second")
        )
        self.assertIn("passed errors>1%: it is 0.00%", read.text)

    def test_no_answer(self) -> None:
        error = {"type": "E", "phase": "connect", "message": "no", "count": 20}
        found = report(
            answered=0, sent=20, failed=20, rps=0.0, statuses={}, errors=[error]
        )
        failing = interval(0, 0.3, **NOTHING, failed=20, errors={"E": 20})
        read = Read(page(found, [failing], curve=[]))
        self.assertIn("no request was answered", read.text)
        # What failed comes before what was fast.
        self.assertLess(read.text.index("Failures"), read.text.index("over time"))
        self.assertIn("20 requests failed, at most 20 in one interval", read.text)
        self.assertEqual(read.count("figure"), 1)
        self.assertIn("20 (100%)", read.text)

    def test_nothing_sent(self) -> None:
        found = report(answered=0, sent=0, rps=0.0, seconds=0.0, statuses={})
        read = Read(page(found, [interval(0, 0, **NOTHING)], curve=[]))
        self.assertIn("no request was answered", read.text)
        self.assertEqual(read.count("figure") + read.count("svg"), 0)

    def test_failed_at_once(self) -> None:
        found = report(answered=0, sent=1, failed=1, rps=0.0, seconds=0.0, statuses={})
        at_once = interval(0, 0, **NOTHING, failed=1, errors={"E": 1})
        read = Read(page(found, [at_once], curve=[]))
        self.assertIn("1 request failed", read.text)

    def test_rates_are_of_a_second(self) -> None:
        # Ten answers in each tenth of one.
        self.assertIn("from 100 to 100 in an interval", Read(page()).text)

    def test_one_answer_in_no_time(self) -> None:
        found = report(answered=1, sent=1, seconds=0.002, statuses={"200": 1})
        read = Read(page(found, [interval(0, 0.002)], curve=[(0.0, 0.002)]))
        self.assertIn("All answers came in one interval", read.text)
        self.assertEqual(read.count("figure"), 3)
        # A line of one point is a mark.
        self.assertGreater(read.count("circle"), 4)

    def test_the_tables_are_where_the_chart_is(self) -> None:
        read = Read(page())
        rows = [found["data-x"] for name, found in read.elements if "data-x" in found]
        self.assertEqual(len(rows), 4 + len(CURVE) + 4)
        self.assertEqual(rows[:4], ["0.1250", "0.3750", "0.6250", "0.8750"])
        self.assertEqual(rows[4], "0.0000")
        self.assertEqual(rows[4 + len(CURVE) - 1], "1.0000")

    def test_the_axis_of_percentiles_goes_as_far_as_there_are_answers(self) -> None:
        curve = [(0.0, 0.001), (0.99, 0.1), (1 - 1e-5, 0.2)]
        read = Read(page(curve=curve))
        self.assertIn("99.999%", read.text)
        self.assertNotIn("99.9999%", read.text)

    def test_times_are_in_units_that_fit(self) -> None:
        for length, expected in [(0.1, "0.2 s"), (120, "5 min"), (40_000, "2 h")]:
            intervals = [interval(n * length, (n + 1) * length) for n in range(10)]
            self.assertIn(expected, Read(page(intervals=intervals)).text)

    def test_a_page_of_any_run_is_small(self) -> None:
        longest = HOSTILE * 1000
        many = {f"{number}": number for number in range(100, 1000)}
        found = report(
            urls=[longest] * 1000,
            rate=1e7,
            uncorrected=latency(123.456789),
            latency=latency(3599.123456),
            statuses=many,
            failed=10**9,
            errors=[
                {"type": "E" * 20, "phase": "body", "message": longest, "count": 10**7}
            ]
            * 101,
        )
        figures = {"p50": 1.234567, "p90": 2.345678, "p99": 3.456789, "max": 3599.9}
        kinds = {f"ErrorNumber{n}": 10**7 for n in range(12)}
        intervals = [
            interval(
                n * 120.123456,
                (n + 1) * 120.123456,
                answered=10**8,
                failed=10**7,
                latency=figures,
                uncorrected=figures,
                statuses={f"{n}xx": 10**7 for n in range(1, 10)},
                errors=kinds,
            )
            for n in range(200)
        ]
        curve = [(1 - 10 ** (-n / 20), 1.234567 * n) for n in range(181)]
        text = page(found, intervals, curve, curve=curve)
        self.assertLess(len(text.encode()), 500_000)
        read = Read(text)
        self.assertIn("and 990 more", read.text)
        # Of each the end is there, which tells it from others.
        self.assertTrue(json.loads(read.data)["report"]["urls"][0].endswith(HOSTILE))
        self.assertIn("others", read.text)

    @settings(max_examples=examples(50))
    @given(
        st.lists(
            st.tuples(
                st.floats(0.0001, 100),
                st.integers(0, 10**6),
                st.integers(0, 10**6),
                st.floats(0.000001, 3600),
            ),
            min_size=1,
            max_size=20,
        )
    )
    def test_any_run(self, parts: list[tuple[float, int, int, float]]) -> None:
        intervals, began = [], 0.0
        for seconds, answered, failed, slow in parts:
            figures = {"p50": slow / 3, "p90": slow / 2, "p99": slow, "max": slow}
            intervals.append(
                interval(
                    began,
                    began + seconds,
                    answered=answered,
                    failed=failed,
                    latency=figures if answered else None,
                    statuses={"2xx": answered // 2, "5xx": answered - answered // 2},
                    errors={"E": failed} if failed else {},
                )
            )
            began += seconds
        answered = sum(each["answered"] for each in intervals)
        failed = sum(each["failed"] for each in intervals)
        found = report(
            answered=answered,
            failed=failed,
            sent=answered + failed,
            seconds=began,
            rps=answered / began,
            statuses={"200": answered} if answered else {},
        )
        curve = CURVE if answered else []
        text = page(found, intervals, curve=curve)
        read = Read(text)
        self.assertNotRegex(read.text, re.compile(r"\b(nan|inf|infinity)\b", re.I))
        self.assertNotIn("None", read.text)
        # Everything in it is as deep as it should be.
        for tag in ("table", "figure", "svg", "tr", "ul", "section", "div", "details"):
            self.assertEqual(text.count(f"<{tag}"), text.count(f"</{tag}>"), tag)
