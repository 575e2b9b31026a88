"""Charts: whatever the figures are, they are drawn inside, and said in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.timeline.axis import tick_label
from nbtwisted.timeline.load.chart import (
    MOST_LOGARITHMIC_TICKS,
    NARROW,
    WIDE,
    Axis,
    Band,
    Between,
    Layout,
    Line,
    Part,
    Points,
    Rule,
    Shape,
    chart,
    linear,
    logarithmic,
    swatch,
)
from tests.guard import ClockCase

SVG = "{http://www.w3.org/2000/svg}"
VALUES = st.none() | st.floats(1e-9, 1000) | st.just(0.0)
LAYOUTS = st.sampled_from([WIDE, NARROW])


def plain(value: float, step: float) -> str:
    return f"{value:g}"


def drawn(
    parts: Sequence[Part], x: Axis, y: Axis, layout: Layout = WIDE
) -> ElementTree.Element:
    text = chart("it", "<T>", "a & b", x, y, parts, layout=layout)
    # In a page, HTML knows what an <svg> is without being told.
    text = text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return ElementTree.fromstring(text)


def numbers(path: str) -> list[tuple[float, float]]:
    found = re.findall(r"([-\d.e]+) ([-\d.e]+)", path)
    return [(float(x), float(y)) for x, y in found]


class AxisTests(ClockCase):
    def test_linear(self) -> None:
        axis = linear("", 47.0, plain)
        self.assertEqual((axis.low, axis.high), (0, 50))
        self.assertEqual([label for _, label in axis.ticks][:3], ["0", "10", "20"])
        self.assertEqual(
            [axis.place(v) for v in (0, 25, 50, 99, -9)], [0, 0.5, 1, 1, 0]
        )
        self.assertEqual(linear("", 50.0, plain).high, 50)
        self.assertEqual(linear("", 0.0, plain).high, 1)

    def test_logarithmic(self) -> None:
        axis = logarithmic("", 0.003, 0.08, tick_label)
        self.assertLess(abs(axis.low - 0.002), 1e-9)
        self.assertLess(abs(axis.high - 0.1), 1e-9)
        labels = [label for _, label in axis.ticks]
        self.assertEqual(labels, ["2 ms", "5 ms", "10 ms", "20 ms", "50 ms", "0.1 s"])
        # The same factor is the same distance.
        self.assertLess(abs(axis.place(0.004) * 2 - axis.place(0.008)), 1e-9)
        self.assertEqual((axis.place(0.0), axis.place(9.0)), (0, 1))

    def test_many_powers_of_ten(self) -> None:
        ticks = logarithmic("", 0.0002, 30, plain).ticks
        self.assertEqual(
            [label for _, label in ticks], ["0.001", "0.01", "0.1", "1", "10"]
        )

    @given(st.floats(1e-9, 1e9), st.floats(1, 1e12))
    def test_what_it_is_for_is_on_it(self, least: float, times: float) -> None:
        most = least * min(times, 1e12)
        for axis in (logarithmic("", least, most, plain), linear("", most, plain)):
            self.assertLess(axis.low, axis.high)
            self.assertLessEqual(axis.low, least * 1.00001)
            self.assertGreaterEqual(axis.high, most * 0.99999)
            # And there is not much else.
            self.assertLessEqual(axis.high, most * 5.1 if most > least else axis.high)
            self.assertGreater(len(axis.ticks), 0)
            self.assertLessEqual(len(axis.ticks), MOST_LOGARITHMIC_TICKS + 8)


class ChartTests(ClockCase):
    x = Axis("time", 0, 10, [(0, "0 s"), (5, "5 s"), (10, "10 s")])

    @given(st.lists(VALUES, max_size=30), st.lists(VALUES, max_size=30), LAYOUTS)
    def test_everything_is_inside(
        self, some: list[float | None], others: list[float | None], layout: Layout
    ) -> None:
        lines = [
            Line("a", "p50", [(i / 3, y) for i, y in enumerate(some)]),
            Line("b", "p99", [(i / 3, y) for i, y in enumerate(others)], True),
        ]
        there = [y for y in (*some, *others) if y]
        axes = [linear("y", max(there, default=0), plain)]
        if there:
            axes.append(logarithmic("y", min(there), max(there), plain))
        for y in axes:
            parts: list[Part] = [Between("c", "between", lines[0], lines[1]), *lines]
            svg = drawn(parts, self.x, y, layout)
            text = ElementTree.tostring(svg, encoding="unicode")
            self.assertNotRegex(text, r"\bnan\b|\binf\b")
            places = [
                place
                for path in svg.iter(f"{SVG}path")
                if path.get("class") != "grid"
                for place in numbers(path.attrib["d"])
            ]
            places += [
                (float(mark.attrib["cx"]), float(mark.attrib["cy"]))
                for mark in svg.iter(f"{SVG}circle")
            ]
            for across, down in places:
                self.assertTrue(0 <= across <= layout.width, across)
                self.assertTrue(0 <= down <= layout.height, down)

    @given(st.lists(VALUES, max_size=30))
    def test_each_point_can_be_seen(self, values: list[float | None]) -> None:
        line = Line("a", "p50", [(i / 3, y) for i, y in enumerate(values)])
        svg = drawn([line], self.x, linear("y", 1000, plain))
        paths = [
            path.attrib["d"]
            for path in svg.iter(f"{SVG}path")
            if path.get("class") == "line p50"
        ]
        seen = sum(len(numbers(path)) for path in paths)
        seen += len(list(svg.iter(f"{SVG}circle")))
        self.assertEqual(seen, sum(value is not None for value in values))

    def test_a_gap_is_a_gap(self) -> None:
        points = [
            (0, 1.0),
            (1, 2.0),
            (2, None),
            (3, 2.0),
            (4, 2.0),
            (5, None),
            (6, 1.0),
        ]
        svg = drawn([Line("a", "p99", points)], self.x, linear("y", 2, plain))
        path = next(p for p in svg.iter(f"{SVG}path") if p.get("class") == "line p99")
        self.assertEqual(path.attrib["d"].count("M"), 2)
        self.assertEqual(path.attrib["d"].count("L"), 2)
        # One that stands alone would be a line of no length.
        self.assertEqual(len(list(svg.iter(f"{SVG}circle"))), 1)

    def test_marks(self) -> None:
        line = Line("a", "failures", [(0, 0.0), (1, 0.001), (2, 0.0)], is_marked=True)
        svg = drawn([line], self.x, linear("y", 1000, plain))
        self.assertEqual(len(list(svg.iter(f"{SVG}circle"))), 1)
        self.assertIn("<circle", swatch(line))
        self.assertNotIn("<circle", swatch(Line("a", "p99", [])))

    def test_shapes_tell_points_apart(self) -> None:
        points = [(0.0, 0.5), (5.0, 1.0)]
        for shape, tag, kind in [
            ("circle", "circle", "mark held"),
            ("disc", "circle", "mark disc held"),
            ("cross", "path", "mark held"),
        ]:
            part = Points("a", "held", points, cast(Shape, shape))
            svg = drawn([part], self.x, linear("y", 1, plain))
            found = [m for m in svg.iter(f"{SVG}{tag}") if m.get("class") == kind]
            self.assertEqual(len(found), 2, shape)
            self.assertIn(f'class="{kind}"', swatch(part))

    def test_rules(self) -> None:
        y = linear("y", 10, plain)
        svg = drawn(
            [Rule("a", "stage", [2.5, 5]), Rule("b", "limit", [5], is_level=True)],
            self.x,
            y,
        )
        plot = next(r for r in svg.iter(f"{SVG}rect") if r.get("class") == "plot")
        left, top, wide, high = (
            float(plot.attrib[name]) for name in ("x", "y", "width", "height")
        )
        paths = {p.get("class"): numbers(p.attrib["d"]) for p in svg.iter(f"{SVG}path")}
        upright, level = paths["line stage"], paths["line limit"]
        self.assertEqual([y for _, y in upright], [top, top + high] * 2)
        self.assertApproximates(upright[2][0], left + wide / 2, 0.1)
        self.assertEqual([x for x, _ in level], [left, left + wide])
        self.assertApproximates(level[0][1], top + high / 2, 0.1)
        # The key shows each as it lies.
        self.assertIn("M15 0V12", swatch(Rule("a", "stage", [])))
        self.assertIn("M1 6H29", swatch(Rule("a", "limit", [], is_level=True)))
        nothing = drawn([Rule("a", "none", [])], self.x, y)
        self.assertNotIn("line none", [p.get("class") for p in nothing.iter()])

    def test_a_band_is_as_high_as_the_plot(self) -> None:
        y = linear("y", 10, plain)
        part = Band("a", "bracket", 2.5, 5)
        svg = drawn([part], self.x, y)
        path = next(p for p in svg.iter(f"{SVG}path") if p.get("class") == "bracket")
        plot = next(r for r in svg.iter(f"{SVG}rect") if r.get("class") == "plot")
        top, high = float(plot.attrib["y"]), float(plot.attrib["height"])
        self.assertIn(f"V{top + high:g}", path.attrib["d"])
        self.assertIn('class="bracket"', swatch(part))

    def test_a_filled_line_has_an_area_down_to_the_axis(self) -> None:
        line = Line("a", "asked", [(0, 5), (5, 5), (6, None), (7, 1), (9, 1)])
        y = linear("y", 10, plain)
        svg = drawn([line], self.x, y)
        kinds = [path.get("class") for path in svg.iter(f"{SVG}path")]
        self.assertNotIn("area asked", kinds)
        filled = replace(line, is_filled=True)
        svg = drawn([filled], self.x, y)
        area = next(p for p in svg.iter(f"{SVG}path") if p.get("class") == "area asked")
        plot = next(r for r in svg.iter(f"{SVG}rect") if r.get("class") == "plot")
        bottom = float(plot.attrib["y"]) + float(plot.attrib["height"])
        on_the_axis = [y for _, y in numbers(area.attrib["d"]) if y == bottom]
        self.assertEqual(len(on_the_axis), 4)
        self.assertIn("area asked", swatch(filled))
        self.assertNotIn("area asked", swatch(line))

    def test_words(self) -> None:
        svg = drawn([], self.x, linear("y", 1, plain))
        self.assertEqual(svg.get("role"), "img")
        title, about = svg[0], svg[1]
        self.assertEqual((title.text, about.text), ("<T>", "a & b"))
        self.assertEqual(
            svg.get("aria-labelledby"), f"{title.get('id')} {about.get('id')}"
        )

    def test_what_is_between(self) -> None:
        lines = [
            Line("a", "p99", [(0, 1.0), (5, 2.0)]),
            Line("b", "uncorrected", [(0, 1.0), (5, 1.0)]),
        ]
        between = Between("c", "between", lines[0], lines[1])
        svg = drawn([between, *lines], self.x, linear("y", 2, plain))
        area = next(p for p in svg.iter(f"{SVG}path") if p.get("class") == "between")
        self.assertEqual(len(numbers(area.attrib["d"])), 4)
        self.assertEqual(numbers(area.attrib["d"])[0], numbers(area.attrib["d"])[-1])

    def test_labels_are_left_out_where_there_is_no_room(self) -> None:
        nines = [(10.0**n, f"{100 - 10.0 ** (2 - n):.7g}%") for n in range(1, 9)]
        x = Axis("share", 1, 10**8, nines, is_logarithmic=True)
        for layout in (WIDE, NARROW):
            svg = drawn([], x, linear("y", 1, plain), layout)
            across = [
                (float(text.attrib["x"]), len(text.text or "") * 6)
                for text in svg.iter(f"{SVG}text")
                if text.get("text-anchor") == "middle"
            ]
            self.assertGreater(len(across), 3)
            for (one, width), (other, next_width) in pairwise(across):
                self.assertGreater(other - one, (width + next_width) / 2)
            self.assertLess(across[-1][0] + across[-1][1] / 2, layout.width)
