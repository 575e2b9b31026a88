"""Toxics as JSON, and the stages that they are."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from nbtwisted.proxy.stream.stage import (
    Break,
    Direction,
    Latency,
    Placed,
    Rate,
    Slices,
    SlowClose,
    Stage,
    Timeout,
)
from nbtwisted.proxy.toxiproxy.document import parse_list, parse_object
from nbtwisted.proxy.toxiproxy.errors import ApiError
from nbtwisted.proxy.toxiproxy.toxics import Toxic, read_toxic, updated
from nbtwisted.server.model.delay import Delay
from tests.guard import ClockCase


def toxic(**fields: Any) -> Toxic:
    return read_toxic(parse_object(json.dumps(fields).encode(), "{}"))


def stages(kind: str, **attributes: int) -> list[Stage]:
    return [it.stage for it in toxic(type=kind, attributes=attributes).placed()]


class StageTests(ClockCase):
    def test_latency_is_in_milliseconds(self) -> None:
        self.assertEqual(stages("latency", latency=250), [Latency(Delay((0.25,)))])

    def test_jitter_is_to_both_sides(self) -> None:
        (stage,) = stages("latency", latency=100, jitter=20)
        assert isinstance(stage, Latency)
        random = Random(1)
        drawn = [stage.delay.draw(random) for _ in range(1000)]
        self.assertAlmostEqual(min(drawn), 0.08, 3)
        self.assertAlmostEqual(max(drawn), 0.12, 3)
        self.assertAlmostEqual(sum(drawn) / 1000, 0.1, 2)

    def test_jitter_above_the_latency_gives_no_delay_below_none(self) -> None:
        (stage,) = stages("latency", latency=10, jitter=100)
        assert isinstance(stage, Latency)
        random = Random(1)
        drawn = [stage.delay.draw(random) for _ in range(1000)]
        self.assertEqual(min(drawn), 0.0)
        self.assertAlmostEqual(max(drawn), 0.11, 2)

    def test_bandwidth_is_in_thousands_of_bytes(self) -> None:
        self.assertEqual(stages("bandwidth", rate=100), [Rate(100_000.0)])

    def test_slow_close_is_in_milliseconds(self) -> None:
        self.assertEqual(stages("slow_close", delay=1500), [SlowClose(1.5)])

    def test_timeout_is_in_milliseconds_and_without_one_never(self) -> None:
        self.assertEqual(stages("timeout", timeout=2000), [Timeout(2.0)])
        self.assertEqual(stages("timeout", timeout=0), [Timeout(None)])
        self.assertEqual(stages("timeout"), [Timeout(None)])

    def test_reset_peer_resets_so_long_after_the_first_byte(self) -> None:
        self.assertEqual(
            stages("reset_peer", timeout=500), [Break("reset", silence=0.5)]
        )
        self.assertEqual(stages("reset_peer"), [Break("reset")])
        self.assertEqual(stages("reset_peer", timeout=-1), [Break("reset")])

    def test_slicer_has_bytes_and_microseconds(self) -> None:
        self.assertEqual(
            stages("slicer", average_size=64, size_variation=32, delay=10_000),
            [Slices(64, 32, 0.01)],
        )

    def test_slices_always_have_a_byte(self) -> None:
        self.assertEqual(
            stages("slicer", average_size=10, size_variation=10), [Slices(10, 9, 0.0)]
        )
        self.assertEqual(
            stages("slicer", average_size=10, size_variation=-1, delay=-1),
            [Slices(10, 0, 0.0)],
        )

    def test_limit_data_is_in_bytes_and_without_any_the_first_closes(self) -> None:
        self.assertEqual(
            stages("limit_data", bytes=100), [Break("close", after_bytes=100)]
        )
        self.assertEqual(stages("limit_data", bytes=0), [Break("close")])

    def test_what_means_nothing_does_nothing(self) -> None:
        for kind, attributes in (
            ("noop", {}),
            ("latency", {}),
            ("latency", {"latency": -5}),
            ("latency", {"latency": -50, "jitter": 10}),
            ("bandwidth", {"rate": 0}),
            ("bandwidth", {"rate": -1}),
            ("slow_close", {"delay": 0}),
            ("slicer", {"size_variation": 5}),
        ):
            self.assertEqual(stages(kind, **attributes), [], kind)

    def test_a_stage_has_the_toxic_s_name_stream_and_toxicity(self) -> None:
        placed = toxic(
            name="slow",
            type="slow_close",
            stream="Upstream",
            toxicity=0.25,
            attributes={"delay": 1000},
        ).placed()
        self.assertEqual(placed, (Placed("slow", Direction.UP, SlowClose(1.0), 0.25),))

    def test_toxicities_out_of_bounds_are_never_and_always(self) -> None:
        for toxicity, probability in ((-1, 0.0), (7, 1.0)):
            (placed,) = toxic(type="timeout", toxicity=toxicity).placed()
            self.assertEqual(placed.probability, probability)


class JSONTests(ClockCase):
    def test_it_reads_like_toxiproxy_s(self) -> None:
        self.assertEqual(
            json.dumps(toxic(type="latency", attributes={"latency": 100}).as_json()),
            '{"attributes": {"latency": 100, "jitter": 0}, "name": '
            '"latency_downstream", "type": "latency", "stream": "downstream", '
            '"toxicity": 1}',
        )

    def test_every_type_has_its_attributes(self) -> None:
        for kind, names in (
            ("latency", ["latency", "jitter"]),
            ("bandwidth", ["rate"]),
            ("slow_close", ["delay"]),
            ("timeout", ["timeout"]),
            ("reset_peer", ["timeout"]),
            ("slicer", ["average_size", "size_variation", "delay"]),
            ("limit_data", ["bytes"]),
            ("noop", []),
        ):
            made = toxic(type=kind, stream="upstream").as_json()
            self.assertEqual(made["attributes"], dict.fromkeys(names, 0))
            self.assertEqual(made["name"], f"{kind}_upstream")

    def test_names_of_fields_are_taken_in_any_case_and_null_is_not_given(self) -> None:
        made = toxic(
            Type="latency",
            NAME="a",
            stream=None,
            attributes={"Latency": 5, "jitter": None},
            unknown=[1],
        )
        self.assertEqual(made.attributes, {"latency": 5, "jitter": 0})
        self.assertEqual((made.name, made.stream), ("a", "downstream"))

    def test_an_update_changes_what_is_given(self) -> None:
        before = toxic(
            type="latency", toxicity=0.5, attributes={"latency": 100, "jitter": 10}
        )
        fields = {"attributes": {"latency": 7}, "name": "b", "stream": "upstream"}
        after = updated(before, parse_object(json.dumps(fields).encode(), "{}"))
        self.assertEqual(after.attributes, {"latency": 7, "jitter": 10})
        self.assertEqual(
            (after.name, after.stream, after.toxicity),
            ("latency_downstream", "downstream", 0.5),
        )
        after = updated(after, parse_object(b'{"toxicity": 0.75}', "{}"))
        self.assertEqual((after.toxicity, after.attributes["latency"]), (0.75, 7))
        self.assertEqual(before.attributes["latency"], 100)


class RefusalTests(ClockCase):
    def test_toxiproxy_s_own(self) -> None:
        for fields, message in (
            (
                {"type": "latency", "stream": "sideways"},
                "stream was invalid, can be either upstream or downstream",
            ),
            (
                {"type": "latency", "stream": ""},
                "stream was invalid, can be either upstream or downstream",
            ),
            ({"type": "lag"}, "invalid toxic type"),
            ({}, "invalid toxic type"),
        ):
            with self.assertRaises(ApiError) as caught:
                toxic(**fields)
            self.assertEqual(caught.exception.message, message)
            self.assertEqual(caught.exception.status, 400)

    def test_values_of_another_type_are_named(self) -> None:
        for fields, expected in (
            ({"type": 5}, "type: expected a string"),
            ({"type": "latency", "toxicity": "1"}, "toxicity: expected a number"),
            ({"type": "latency", "toxicity": True}, "toxicity: expected a number"),
            ({"type": "latency", "toxicity": 1e39}, "toxicity: expected a number"),
            ({"type": "latency", "attributes": 5}, "attributes: expected an object"),
            (
                {"type": "latency", "attributes": {"latency": "5"}},
                "attributes.latency: expected a whole number",
            ),
            (
                {"type": "latency", "attributes": {"latency": 5.0}},
                "attributes.latency: expected a whole number",
            ),
            (
                {"type": "latency", "attributes": {"latency": True}},
                "attributes.latency: expected a whole number",
            ),
            (
                {"type": "latency", "attributes": {"latency": 2**63}},
                "attributes.latency: expected a whole number",
            ),
            ({"type": "latency", "name": "n" * 257}, "name: expected at most 256"),
        ):
            with self.assertRaises(ApiError) as caught:
                toxic(**fields)
            self.assertTrue(
                caught.exception.message.startswith(f"bad request body: {expected}"),
                caught.exception.message,
            )
            self.assertEqual(caught.exception.status, 400)

    def test_what_is_no_object(self) -> None:
        for body in (
            *(b"", b"{", b"5", b"[]", b"\xff{}", b'{"a": NaN}', b'{"a": 1e999}'),
            b"[" * 100_000,
            b'{"a": ' + b"9" * 10_000 + b"}",
        ):
            with self.assertRaises(ApiError) as caught:
                parse_object(body, '{"example": 1}')
            self.assertIn('such as {"example": 1}', caught.exception.message)

    def test_what_is_no_list_of_objects(self) -> None:
        for body in (b"", b"{}", b"[5]", b"[{}, []]"):
            with self.assertRaises(ApiError) as caught:
                parse_list(body, '{"example": 1}')
            self.assertIn('such as [{"example": 1}]', caught.exception.message)

    def test_half_a_character_is_replaced(self) -> None:
        fields = parse_object(b'{"name": "a\\ud800"}', "{}")
        self.assertEqual(fields.text("name", ""), "a\ufffd")
