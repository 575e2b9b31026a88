"""Charts with a row for each name: bars are in proportion, changes where they are."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import example, given
from hypothesis import strategies as st

from nbtwisted.timeline.columns import width_of
from nbtwisted.timeline.load.chart import CHARACTER, NARROW, WIDE, Layout
from nbtwisted.timeline.load.row_chart import (
    Bar,
    BarRow,
    Change,
    bar_chart,
    change_chart,
)
from tests.guard import ClockCase

SVG = "{http://www.w3.org/2000/svg}"
LAYOUTS = st.sampled_from([WIDE, NARROW])
CHANGES = st.floats(-1, 1e6)
ENDS = st.none() | CHANGES


def parsed(text: str) -> ElementTree.Element:
    text = text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return ElementTree.fromstring(text)


def bars(rows: list[BarRow], layout: Layout = WIDE) -> ElementTree.Element:
    return parsed(bar_chart("it", "<T>", "a & b", rows, layout=layout))


def changes(rows: list[Change], layout: Layout = WIDE) -> ElementTree.Element:
    return parsed(change_chart("it", "<T>", "a & b", rows, layout=layout))


def texts(svg: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in svg.iter(f"{SVG}text")]


class BarTests(ClockCase):
    def test_bars_are_in_proportion(self) -> None:
        rows = [
            BarRow("a", [Bar("answers", 1.0, "200"), Bar("core", 0.5, "50%")]),
            BarRow("b", [Bar("answers", 0.25, "50"), Bar("core", 0.0, "0%")], True),
        ]
        svg = bars(rows)
        wide = [float(bar.attrib["width"]) for bar in svg.iter(f"{SVG}rect")]
        self.assertApproximates(wide[1] * 2, wide[0], 0.2)
        self.assertApproximates(wide[2] * 4, wide[0], 0.4)
        # What is nothing can be seen.
        self.assertEqual(wide[3], 1)
        self.assertEqual(texts(svg), ["a", "200", "50%", "b", "50", "0%"])
        # The name of a row is beside the middle of its bars.
        tops = [float(bar.attrib["y"]) for bar in svg.iter(f"{SVG}rect")]
        name = next(t for t in svg.iter(f"{SVG}text") if t.text == "b")
        self.assertApproximates(float(name.attrib["y"]) - 4, tops[3], 2)
        lost = [t.text for t in svg.iter(f"{SVG}text") if t.get("class") == "tick lost"]
        self.assertEqual(lost, ["b"])

    def test_long_names_leave_room(self) -> None:
        rows = [BarRow("tcp://10.0.0.1/" + "x" * 40 + ":40001", [])]
        for layout, length in ((WIDE, 26), (NARROW, 14)):
            (name,) = texts(bars(rows, layout))
            self.assertEqual(len(name), length)
            # Names are told apart by their ends.
            self.assertTrue(name.endswith(":40001"), name)

    # A mark takes no column, and some characters take two.
    @example([("00\x1f\u0eb4\U00018d09\U0001fbfa", 0.0)], WIDE)
    @given(
        st.lists(st.tuples(st.text(max_size=99), st.floats(-1, 9)), max_size=9), LAYOUTS
    )
    def test_everything_is_inside(
        self, found: list[tuple[str, float]], layout: Layout
    ) -> None:
        rows = [BarRow(name, [Bar("answers", share, "1,000")]) for name, share in found]
        svg = bars(rows, layout)
        high = float(svg.attrib["viewBox"].split()[3])
        for bar in svg.iter(f"{SVG}rect"):
            right = float(bar.attrib["x"]) + float(bar.attrib["width"])
            self.assertLessEqual(right + 5 * 6, layout.width)
            self.assertLess(float(bar.attrib["y"]) + 10, high)
        for text in texts(svg):
            self.assertTrue(text.isprintable())
            self.assertLessEqual(width_of(text), 26)


class ChangeTests(ClockCase):
    def test_where_marks_and_lines_are(self) -> None:
        svg = changes(
            [
                Change("rps", "noise", 0.0, -0.1, 0.1, "0.0%"),
                Change("p50", "better", -0.5, -0.5, -0.5, "−50%"),
                Change("p99", "worse", 1.0, 0.5, 1.5, "+100%"),
            ]
        )
        same = next(p for p in svg.iter(f"{SVG}path") if p.get("class") == "line same")
        middle = float(re.findall(r"M([\d.]+)", same.attrib["d"])[0])
        rings = [float(c.attrib["cx"]) for c in svg.iter(f"{SVG}circle")]
        cross = next(
            p for p in svg.iter(f"{SVG}path") if p.get("class") == "mark worse"
        )
        worse = float(re.findall(r"M([\d.]+)", cross.attrib["d"])[0]) + 4
        self.assertApproximates(rings[0], middle, 0.1)
        # Half as much is as far as twice as much.
        self.assertApproximates(middle - rings[1], worse - middle, 0.2)
        line = next(p for p in svg.iter(f"{SVG}path") if p.get("class") == "line worse")
        low, high = (
            float(x) for x in re.findall(r"[MH]([\d.]+)", line.attrib["d"])[:2]
        )
        self.assertTrue(middle < low < worse < high)

    def test_shapes_say_it_without_colours(self) -> None:
        for kind, tag, expected in [
            ("noise", "circle", "mark noise"),
            ("better", "circle", "mark disc better"),
            ("worse", "path", "mark worse"),
            ("unknown", "circle", "mark unknown"),
        ]:
            svg = changes([Change("p50", kind, 0.1, 0.0, 0.2, "")])  # type: ignore[arg-type]
            found = [e.get("class") for e in svg.iter(f"{SVG}{tag}")]
            self.assertIn(expected, found)

    def test_nobody_knows_what_is_chance(self) -> None:
        svg = changes([Change("p50", "unknown", 0.0, None, None, "0.0%")])
        kinds = [path.get("class") for path in svg.iter(f"{SVG}path")]
        self.assertNotIn("line unknown", kinds)
        self.assertEqual(len(list(svg.iter(f"{SVG}circle"))), 1)
        # The axis is not without a length.
        self.assertIn("+1.0%", texts(svg))
        self.assertIn("the same", texts(changes([])))

    def test_ticks(self) -> None:
        for low, high, expected in [
            (-0.04, 0.06, ["−4%", "−2%", "the same", "+2%", "+4%", "+6%"]),
            (-0.6, 5.0, ["−50%", "the same", "+100%", "+400%"]),
        ]:
            svg = changes([Change("p", "noise", 0.0, low, high, "")])
            found = [t for t in texts(svg) if t not in ("p", "")]
            self.assertEqual(found, expected)

    def test_ticks_have_room(self) -> None:
        rows = [Change("a long name of it", "noise", 0.0, -0.9, 9.0, "+1,000%")]
        for layout in (WIDE, NARROW):
            ticks = [
                (float(text.attrib["x"]), len(text.text or "") * CHARACTER / 2)
                for text in changes(rows, layout).iter(f"{SVG}text")
                if text.get("text-anchor") == "middle"
            ]
            self.assertGreater(len(ticks), 2)
            for (one, half), (other, next_half) in pairwise(ticks):
                self.assertGreaterEqual(other - one, half + next_half)

    @given(st.lists(st.tuples(CHANGES, ENDS, ENDS), max_size=9), LAYOUTS)
    def test_everything_is_inside(
        self,
        found: list[tuple[float, float | None, float | None]],
        layout: Layout,
    ) -> None:
        rows = [
            Change("p99", "worse", change, low, high, "+1%")
            for change, low, high in found
        ]
        text = change_chart("it", "t", "d", rows, layout=layout)
        self.assertNotRegex(text, r"\b(nan|inf)\b")
        svg = parsed(text)
        plot = next(r for r in svg.iter(f"{SVG}rect") if r.get("class") == "plot")
        left = float(plot.attrib["x"])
        right = left + float(plot.attrib["width"])
        for path in svg.iter(f"{SVG}path"):
            places = re.findall(r"[MH]([-\d.e]+)", path.attrib["d"])
            slack = 4 if (path.get("class") or "").startswith("mark") else 0
            for x in places:
                self.assertTrue(left - slack <= float(x) <= right + slack, x)
