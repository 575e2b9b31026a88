"""The report of a run of the client, and the picture in it, as text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

from hypothesis import example, given
from hypothesis import strategies as st

from nbtwisted.timeline import Sample, Span, Totals
from nbtwisted.timeline.page import asset, html_page
from nbtwisted.timeline.report_page import report_page
from nbtwisted.timeline.span import PHASES
from nbtwisted.timeline.svg import svg_waterfall
from tests.guard import ClockCase
from tests.timeline.spans import any_spans, attempt, span

HOSTILE = "http://h/<img src=x onerror=alert(1)>\"'&</script><script>alert(2)"


class Elements(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]
        self._in_script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)
            self._in_script = False


def page_of(spans: list[Span], totals: Totals | None = None) -> str:
    return report_page(
        spans, totals or Totals.of(spans), made_by="nbtwisted", made_at="now"
    )


def data_of(page: str) -> Any:
    return json.loads(Elements(page).scripts[0])


class ReportTests(ClockCase):
    def test_the_data_is_inside(self) -> None:
        attempts = (
            attempt("503", ended_by="retry", queued=0.5, held=1.0, pause=0.25),
            replace(attempt("200", held=1.0, wait=0.125), held=1.5, upstream=0.75),
        )
        spans = [Span(7, "http://h/a", 100.0, attempts, size=12)]
        data = data_of(page_of([*spans, span(8, "http://h/b", 101.0, failed=True)]))
        self.assertEqual(data["totals"]["answers"], 1)
        first, second = data["requests"]
        self.assertEqual(
            (first["number"], first["url"], first["bytes"], data["origin"]),
            (7, "http://h/a", 12, "http://h"),
        )
        self.assertEqual((first["began"], first["seconds"]), (0.0, 2.375))
        self.assertEqual(
            first["attempts"][0]["phases"],
            [["queued", 0.5], ["held", 1.0], ["pause", 0.25]],
        )
        self.assertEqual(first["attempts"][1]["held"], 1.5)
        self.assertEqual(first["attempts"][1]["upstream"], 0.75)
        self.assertNotIn("upstream", first["attempts"][0])
        self.assertNotIn("ended_by", first["attempts"][1])
        # That of an attempt is there where it is another.
        self.assertEqual(first["attempts"][0]["url"], "http://h/")
        self.assertNotIn("url", second["attempts"][0])
        self.assertEqual((second["began"], second["failed"]), (1.0, True))

    def test_what_a_stranger_sent_is_text(self) -> None:
        hostile = Span(
            1,
            HOSTILE,
            0.0,
            (attempt("x", ended_by="error", message=HOSTILE, url=HOSTILE, wait=1.0),),
        )
        page = page_of([hostile])
        found = Elements(page)
        self.assertNotIn("img", found.names)
        self.assertEqual(found.names.count("script"), 2)
        self.assertFalse([a for a in found.attributes if a.startswith("on")])
        self.assertEqual(data_of(page)["requests"][0]["url"], HOSTILE)

    def test_nothing_inline_that_its_own_policy_forbids(self) -> None:
        page = page_of([span(1, "http://h/", 0.0, wait=1.0)])
        self.assertNotIn("style", Elements(page).attributes)
        self.assertRegex(page, "script-src 'sha256-[^']+'; base-uri 'none'")
        # And nothing from anywhere else.
        self.assertFalse({"src", "href", "link"} & {*Elements(page).attributes})

    def test_no_requests(self) -> None:
        page = page_of([])
        self.assertIn("0 requests in 0.0 ms", page)
        self.assertIn("nothing to be drawn", page)
        self.assertEqual(data_of(page)["requests"], [])

    def test_what_was_resent(self) -> None:
        attempts = (attempt("first byte", ended_by="resend", wait=1.0), attempt())
        twice = Span(1, "http://h/", 0.0, attempts, resent=2)
        page = page_of([twice, span(2, "http://h/", 0.0)])
        self.assertIn("<dt>errors</dt><dd>0</dd></div><div><dt>resent</dt>", page)
        self.assertIn("<dt>resent</dt><dd>2</dd>", page)
        self.assertEqual(data_of(page)["totals"]["resent"], 2)
        self.assertIn('<b class="resend">↺</b> resend</li>', page)
        page = page_of([span(2, "http://h/", 0.0)])
        self.assertNotIn("<dt>resent</dt>", page)

    def test_what_was_paced(self) -> None:
        page = page_of([span(1, "http://h/", 0.0, paced=1.5, wait=1.0)] * 2)
        self.assertIn("<dt>paced</dt><dd>2</dd>", page)
        self.assertNotIn("one after another", page)
        self.assertEqual(data_of(page)["totals"]["paced"], 2)
        self.assertIn('<li title="waiting for its host&#x27;s pace">', page)
        page = page_of([span(1, "http://h/", 0.0, wait=1.0)] * 2)
        self.assertNotIn("<dt>paced</dt>", page)
        self.assertIn("one after another", page)

    def test_one_request(self) -> None:
        page = page_of([span(1, "http://h/", 0.0, wait=1.0)])
        self.assertIn("<h1>1 request in 1.00 s</h1>", page)
        self.assertNotIn("one after another", Elements(page).scripts[0])

    def test_some_of_many(self) -> None:
        sample = Sample(most=50)
        for number in range(1, 1001):
            sample.add(span(number, "http://h/", 0.0, wait=1.0))
        page = page_of(sample.spans, sample.totals)
        self.assertRegex(page, r"\d\d of the 1,000 requests are on this page")
        self.assertIn("<h1>1,000 requests", page)

    def test_a_lone_surrogate_can_be_written(self) -> None:
        page = html_page(
            "t", "", data=["\ud800"], styles=("look.css",), script="report.js"
        )
        page.encode()

    @given(any_spans(6))
    def test_any_spans(self, spans: list[Span]) -> None:
        data = data_of(page_of(spans))
        self.assertEqual(len(data["requests"]), len(spans))
        json.dumps(data, allow_nan=False)


class SVGTests(ClockCase):
    def test_bars_marks_and_words(self) -> None:
        attempts = (
            attempt("first byte", ended_by="error", wait=1.0, pause=1.0),
            attempt("200", held=2.0),
        )
        spans = [Span(1, HOSTILE, 0.0, attempts), span(2, "http://h/b", 0, queued=1)]
        drawn = svg_waterfall(spans, Totals.of(spans))
        root = ElementTree.fromstring(drawn)
        classes = [each.get("class") for each in root.iter()]
        for name in ("wait", "pause", "held", "mark error", "queued"):
            self.assertIn(name, classes)
        self.assertIn("2 answers in 4.00 s", root.get("aria-label") or "")
        self.assertNotIn("img", [each.tag for each in root.iter()])

    def test_what_a_bar_is_filled_with_is_there(self) -> None:
        phases: dict[str, Any] = dict.fromkeys(PHASES, 1.0)
        spans = [span(1, "/", 0.0, **phases)]
        root = ElementTree.fromstring(svg_waterfall(spans, Totals.of(spans)))
        given = {each.get("id") for each in root.iter() if each.get("id")}
        taken = set(re.findall(r"url\(#([a-z-]+)\)", asset("bars.css")))
        self.assertIn("hatch-upstream", taken)
        self.assertEqual(given, taken)

    def test_nothing(self) -> None:
        self.assertEqual(len(ElementTree.fromstring(svg_waterfall([], Totals()))), 0)

    @given(any_spans(12), st.sampled_from([360, 880]))
    @example([span(1, "inf", 0.0), span(2, "nan", 0.0)], 880)
    @example([span(1, "http://h/" + "x" * 60, 0.0, held=1.0)], 360)
    def test_everything_is_in_the_picture(self, spans: list[Span], wide: int) -> None:
        drawn = svg_waterfall(spans, Totals.of(spans), width=wide, rows=5)
        root = ElementTree.fromstring(drawn)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for each in root.iter():
            for name, most in (("x", width), ("y", height)):
                self.assertTrue(0 <= float(each.get(name, "0")) <= most, each.attrib)
            right = float(each.get("x", "0"))
            if each.get("width") not in (None, "100%"):
                right += float(each.get("width", "0"))
            self.assertLessEqual(right, width + 1)
            # A label may be called so, and is also in what is read aloud.
            numbers = [v for k, v in each.attrib.items() if k != "aria-label"]
            self.assertNotRegex(" ".join(numbers), r"\b(nan|inf)\b")
