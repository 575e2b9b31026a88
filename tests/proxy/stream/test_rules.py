"""Rules as stages: on plain numbers, and in force on a proxy in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.proxy.stream.ruled import RuledStages
from nbtwisted.proxy.stream.rules import next_change, stages_of_rules
from nbtwisted.proxy.stream.stage import (
    Break,
    Direction,
    Latency,
    Placed,
    Rate,
    Slices,
)
from nbtwisted.server.model.control_text import STREAMED
from nbtwisted.server.model.delay import Delay
from nbtwisted.server.rules.in_force import Origin, Rules
from nbtwisted.server.rules.reading import Reading, no_file, parse_default, parse_rules
from nbtwisted.server.rules.rule import Rule, UnreadableRule
from tests.guard import ClockCase
from tests.proxy.stream.in_memory import Proxied

READING = Reading(300.0, no_file, STREAMED)
UP, DOWN = Direction.UP, Direction.DOWN


def parse(*tables: dict[str, Any]) -> list[Rule]:
    return parse_rules(list(tables), READING)


def names(stages: Any) -> list[str]:
    return [placed.name for placed in stages]


class StagesOfRulesTests(SynchronousTestCase):
    def test_a_rule_is_a_stage_for_each_control(self) -> None:
        rules = parse(
            {
                "name": "all",
                "delay": "200ms",
                "rate": "10kB",
                "slice": "100,20,5ms",
                "fault": "reset:0.25",
                "after": "4kB",
            }
        )
        self.assertEqual(
            stages_of_rules(rules, 0.0, {}),
            [
                Placed("all: delay", DOWN, Latency(Delay((0.2,))), rule="all"),
                Placed("all: slice", DOWN, Slices(100, 20, 0.005), rule="all"),
                Placed("all: rate", DOWN, Rate(10_000.0), rule="all"),
                Placed("all: fault", DOWN, Break("reset", None, 4000), 0.25, "all"),
            ],
        )

    def test_a_direction_is_one_or_both(self) -> None:
        for direction, expected in [
            ("up", [UP]),
            ("down", [DOWN]),
            ("both", [UP, DOWN]),
        ]:
            rules = parse({"rate": "1kB", "direction": direction})
            found = [placed.direction for placed in stages_of_rules(rules, 0.0, {})]
            self.assertEqual(found, expected)

    def test_a_fault_comes_after_a_time_or_with_the_first_byte(self) -> None:
        for given, stage in [
            ({"fault": "stall", "after": "2s"}, Break("stall", after_seconds=2.0)),
            ({"fault": "close"}, Break("close")),
        ]:
            ((placed),) = stages_of_rules(parse(given), 0.0, {})
            self.assertEqual(placed.stage, stage)

    def test_all_rules_act_but_those_that_are_switched_off(self) -> None:
        rules = parse(
            {"name": "a", "rate": 10}, {"rate": 20, "enabled": False}, {"delay": 1}
        )
        stages = stages_of_rules(rules, 0.0, {})
        self.assertEqual(names(stages), ["a: rate", "rule 3: delay"])

    def test_rules_of_one_name_have_stages_of_two(self) -> None:
        rules = [*parse({"name": "a", "rate": 10}), *parse({"name": "a", "rate": 20})]
        self.assertEqual(
            names(stages_of_rules(rules, 0, {})), ["a: rate", "a (2): rate"]
        )

    def test_a_default_is_a_rule(self) -> None:
        rule = parse_default("_delay=50ms&_fault=reset:0.01&_direction=up", READING)
        stages = stages_of_rules([rule], 0.0, {})
        self.assertEqual(names(stages), ["--default: delay", "--default: fault"])
        self.assertEqual({placed.direction for placed in stages}, {UP})

    def test_steps_are_by_the_links_that_came_before(self) -> None:
        rules = parse(
            {"name": "a", "delay": 1, "steps": [{"fault": "reset"}, {"delay": 2}, {}]}
        )
        found = [names(stages_of_rules(rules, 0.0, {"a": n})) for n in range(4)]
        self.assertEqual(
            found,
            [["a: delay", "a: fault"], ["a: delay"], ["a: delay"], ["a: delay"]],
        )
        (second,) = stages_of_rules(rules, 0.0, {"a": 1})
        self.assertEqual(second.stage, Latency(Delay((2.0,))))
        # It was there before the rule.
        self.assertEqual(names(stages_of_rules(rules, 0.0, {})), ["a: delay"])

    def test_phases_hold_over_it_in_their_time(self) -> None:
        rules = parse(
            {"rate": 10, "during": [{"from": "2s", "until": "3s", "rate": 20}]}
        )
        found = [
            placed.stage
            for seconds in (0.0, 2.0, 3.0)
            for placed in stages_of_rules(rules, seconds, {})
        ]
        self.assertEqual(found, [Rate(10.0), Rate(20.0), Rate(10.0)])
        changes = [next_change(rules, seconds) for seconds in (0.0, 2.0)]
        self.assertEqual(changes, [2.0, 3.0])
        self.assertEqual(next_change(rules, 3.0), float("inf"))

    def test_controls_of_requests_are_none_of_streams(self) -> None:
        for field, value in [("status", 503), ("match", {"path": "/"}), ("body", "x")]:
            error = self.assertRaises(UnreadableRule, parse, {field: value})
            self.assertIn(f"there is no field {field}", str(error))

    def test_no_wait_is_longer_than_the_longest_delay(self) -> None:
        for table in ({"delay": "301s"}, {"slice": "10,0,301s"}):
            error = self.assertRaises(UnreadableRule, parse, table)
            self.assertIn("at most 300 seconds", error.expected)
        self.assertEqual(len(parse({"slice": "10,0,300s"})), 1)

    def test_a_field_that_needs_another_is_refused_alone(self) -> None:
        after, fault = {"after": "2s"}, {"fault": "reset"}
        for table, field, expected in [
            (after, "after", "fault beside it"),
            ({"delay": 1, **after}, "after", "fault beside it"),
            (
                {"direction": "up"},
                "direction",
                "delay or rate or slice or fault beside it",
            ),
            ({"steps": [fault, after]}, "steps[2].after", "fault beside it"),
            ({"during": [{}, after]}, "during[2].after", "fault beside it"),
        ]:
            error = self.assertRaises(UnreadableRule, parse, table)
            self.assertEqual((error.field, error.expected), (field, expected))

    def test_a_field_may_be_beside_another_in_any_part_that_can_hold(self) -> None:
        after, fault = {"after": "2s"}, {"fault": "reset"}
        for table in (
            {**after, **fault},
            {**after, "steps": [{}, fault]},
            {**after, "during": [fault]},
            {**fault, "steps": [after]},
            {**fault, "during": [after]},
            {"steps": [after], "during": [fault]},
            {"steps": [fault], "during": [after]},
            {"direction": "up", "steps": [fault]},
        ):
            self.assertEqual(len(parse(table)), 1, table)


class RuledStagesTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock: Any = MemoryReactorClock()
        self.rules = Rules(self.clock.seconds, READING)
        self.proxied = Proxied(self.clock)
        self.ruled = RuledStages(self.clock, self.rules, self.proxied.proxy)
        self.ruled.begin()
        self.addCleanup(self.proxied.stop)
        self.addCleanup(self.ruled.stop)

    def acting(self) -> list[tuple[str, ...]]:
        """The stages down of each link."""
        return [link.entry.acting.get("down", ()) for link in self.proxied.links]

    def test_rules_that_are_there_act_on_links_that_come(self) -> None:
        self.rules.set_origin(Origin.FILE, parse({"name": "a", "rate": 10}))
        self.proxied.pair()
        self.assertEqual(self.acting(), [("a: rate",)])

    def test_other_rules_act_on_open_links_at_once(self) -> None:
        client, upstream = self.proxied.pair()
        self.rules.add(*parse({"name": "a", "delay": 5}))
        upstream.send(b"held")
        self.assertEqual(client.take(), b"")
        self.rules.switch("a", is_enabled=False)
        self.assertEqual(client.take(), b"held")
        self.rules.switch("a", is_enabled=True)
        self.assertEqual(self.acting(), [("a: delay",)])
        self.rules.remove("a")
        self.assertEqual(self.acting(), [()])

    def test_phases_come_and_go_in_their_time(self) -> None:
        self.proxied.pair()
        self.rules.add(
            *parse({"name": "a", "during": [{"from": 2, "until": 3, "rate": 10}]})
        )
        self.assertEqual(self.acting(), [()])
        self.clock.advance(2.01)
        self.assertEqual(self.acting(), [("a: rate",)])
        self.clock.advance(1.01)
        self.assertEqual(self.acting(), [()])
        self.rules.reset()
        self.clock.advance(2.01)
        self.assertEqual(self.acting(), [("a: rate",)])

    def test_there_is_one_timer_for_all_of_them(self) -> None:
        during = [{"from": 2, "until": 3, "rate": 10}]
        for name in "abc":
            self.rules.add(*parse({"name": name, "during": during, "for": "9s"}))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_a_rule_that_comes_later_may_act_sooner(self) -> None:
        for name, begins in (("late", 9), ("soon", 2)):
            during = [{"from": begins, "rate": 10}]
            self.rules.add(*parse({"name": name, "during": during}))
        self.proxied.pair()
        self.clock.advance(2.01)
        self.assertEqual(self.acting(), [("soon: rate",)])

    def test_stages_stay_as_they_are_when_it_has_stopped(self) -> None:
        self.rules.add(*parse({"name": "a", "rate": 10, "for": "9s"}))
        self.proxied.pair()
        self.ruled.stop()
        self.rules.remove("a")
        self.clock.advance(10)
        self.assertEqual(self.acting(), [("a: rate",)])

    def test_a_rule_is_gone_when_its_time_is_over(self) -> None:
        self.proxied.pair()
        self.rules.add(*parse({"name": "a", "rate": 10, "for": "2s"}))
        self.assertEqual(self.acting(), [("a: rate",)])
        self.clock.advance(2.01)
        self.assertEqual(self.acting(), [()])

    def test_steps_are_counted_from_when_their_rule_was_set(self) -> None:
        self.proxied.pair()
        steps = {"name": "a", "steps": [{"rate": 10}, {"delay": 1}]}
        self.rules.put(*parse(steps))
        for _ in range(3):
            self.proxied.pair()
        expected = [(), ("a: rate",), ("a: delay",), ("a: delay",)]
        self.assertEqual(self.acting(), expected)
        # Another rule changes nothing of that.
        self.rules.add(*parse({"name": "b", "enabled": False}))
        self.assertEqual(self.acting(), expected)
        self.rules.put(*parse({**steps, "delay": 9}))
        self.proxied.pair()
        self.assertEqual(self.acting()[-1], ("a: delay", "a: rate"))

    def test_counts_of_links_that_are_over_are_forgotten(self) -> None:
        self.rules.add(*parse({"name": "a", "steps": [{}]}))
        for _ in range(300):
            client = self.proxied.connect()
            client.reset()
        self.assertLess(len(self.ruled._came_before), 110)
