"""What is kept and written of a run besides its answers."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hypothesis import given

from nbtwisted import steady_clock
from nbtwisted.client.errors import Interrupted
from nbtwisted.client.request.request import Request
from nbtwisted.client.result import Result
from nbtwisted.client.results.recording import Recording, write_span
from nbtwisted.timeline import Span
from nbtwisted.trace_file import TraceFile
from tests.client.in_memory import Network
from tests.client.results import URL, attempt, lost, result
from tests.full_disk import files_of_at_most
from tests.guard import ClockCase
from tests.timeline.spans import any_spans
from tests.timeline.spans import attempt as drawn


def answered(body: bytes = b"body") -> Result:
    return result(attempt(body=body))


class RecordingCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def request(self) -> Request:
        return Network().getter().request("http://h/")

    def events(self, name: str = "trace") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(Path(self.path(name)).read_text())[
            "traceEvents"
        ]
        return found


class RecordingTests(RecordingCase):
    def test_what_is_under_way_and_what_has_ended(self) -> None:
        recording = Recording()
        first, second = self.request(), self.request()
        recording.begin(0, first)
        recording.begin(1, second)
        span = recording.end(0, answered())
        self.assertEqual(recording.under_way, {1: second})
        self.assertEqual(recording.sample.spans, [span])
        self.assertEqual(list(recording.latest), [span])
        never = Result(URL, error=Interrupted("cancelled before"))
        self.assertIsNone(recording.end(2, never))
        self.assertEqual(recording.close(), [])

    def test_files(self) -> None:
        paths = {name: self.path(name) for name in ("report", "har", "trace")}
        recording = Recording(**paths)
        for path in paths.values():
            self.assertTrue(os.path.exists(path))
        for index, ended in enumerate((answered(), lost())):
            recording.begin(index, self.request())
            recording.end(index, ended)
        self.assertEqual(recording.close(), list(paths.values()))
        self.assertEqual(recording.close(), [])
        har = json.loads(Path(paths["har"]).read_text())
        self.assertEqual(len(har["log"]["entries"]), 2)
        self.assertIn("2 requests in", Path(paths["report"]).read_text())
        named = [e["args"]["name"] for e in self.events() if e["ph"] == "M"]
        self.assertEqual(named[0], "nbtwisted get")

    def test_a_picture_alone(self) -> None:
        recording = Recording(report=self.path("picture.svg"))
        recording.begin(0, self.request())
        recording.end(0, answered())
        recording.close()
        root = ElementTree.parse(self.path("picture.svg")).getroot()
        self.assertTrue(root.tag.endswith("svg"))
        self.assertIn("1 answer in", root.get("aria-label") or "")

    def test_nothing_happened(self) -> None:
        recording = Recording(**{n: self.path(n) for n in ("report", "har", "trace")})
        recording.close()
        self.assertEqual(
            json.loads(Path(self.path("har")).read_text())["log"]["entries"], []
        )
        self.assertEqual(len(self.events()), 1)
        self.assertIn("0 requests", Path(self.path("report")).read_text())

    def test_each_in_the_first_lane_that_is_free(self) -> None:
        recording = Recording(trace=self.path("trace"))
        for index in (0, 1, 2):
            recording.begin(index, self.request())
        for index in (0, 2):
            recording.end(index, answered())
        recording.begin(3, self.request())
        for index in (3, 1):
            recording.end(index, answered())
        recording.close()
        lanes = [e["tid"] for e in self.events() if e.get("cat") == "request"]
        self.assertEqual(lanes, [1, 3, 1, 2])

    def test_where_nothing_can_be_written(self) -> None:
        for name in ("report", "har", "trace"):
            with self.assertRaises(OSError) as caught:
                Recording(**{name: "/nowhere/x"})
            error = caught.exception
            self.assertEqual(error.filename, "/nowhere/x")
            self.assertEqual(error.strerror, "No such file or directory")

    def test_what_was_opened_before_is_completed(self) -> None:
        with self.assertRaises(OSError):
            Recording(har="/nowhere/x", report=self.path("report"))
        self.assertIn("</html>", Path(self.path("report")).read_text())

    def test_a_disk_that_fills(self) -> None:
        har = self.path("har")
        recording = Recording(har=har, trace=self.path("trace"))
        for index in range(3):
            recording.begin(index, self.request())
        recording.end(0, answered(b"x" * 100_000))
        with files_of_at_most(300_000), self.assertRaises(OSError) as caught:
            recording.end(1, answered(b"y" * 200_000))
        self.assertEqual(caught.exception.filename, har)
        self.assertEqual(caught.exception.strerror, "File too large")
        # Both are complete, as far as they came.
        self.assertEqual(len(json.loads(Path(har).read_text())["log"]["entries"]), 1)
        self.assertTrue(self.events())
        self.assertEqual(recording.close(), [])

    def test_no_room_at_all(self) -> None:
        with self.assertRaises(OSError) as caught:
            Recording(har="/dev/full", trace=self.path("trace"))
        self.assertEqual(caught.exception.filename, "/dev/full")
        self.assertIn("No space", caught.exception.strerror)


class TraceTests(RecordingCase):
    def write(self, *spans: Span) -> list[dict[str, Any]]:
        file = TraceFile(self.path("trace"))
        for span in spans:
            write_span(file, span, 5)
        file.close()
        return self.events()

    def test_a_request_its_attempts_and_their_phases(self) -> None:
        began = steady_clock.now()
        attempts = (
            drawn("503", ended_by="retry", queued=1.0, held=2.0, pause=0.5),
            drawn("200", held=3.0),
        )
        request, *events = self.write(Span(9, "http://h/", began, attempts))
        # On the machine's clock, and from when it left the queue.
        self.assertAlmostEqual(
            request["ts"] / 1e6, steady_clock.monotonic(began) + 1, places=4
        )
        self.assertEqual(request["dur"], 5.5e6)
        self.assertEqual(request["args"], {"number": 9, "outcome": "200"})
        found = [(e["name"], e["cat"], e.get("dur", 0) / 1e6) for e in events]
        self.assertEqual(
            found,
            [
                ("503", "attempt", 2.0),
                ("retry", "mark", 0.0),
                ("held", "phase", 2.0),
                ("pause", "phase", 0.5),
                ("200", "attempt", 3.0),
                ("held", "phase", 3.0),
            ],
        )
        self.assertEqual({e["tid"] for e in events}, {5})

    def test_a_pace_is_in_the_queue_or_between_two_attempts(self) -> None:
        began = steady_clock.now()
        attempts = (
            drawn("429", ended_by="retry", queued=1.0, paced=4.0, held=2.0, pause=0.5),
            drawn("200", paced=8.0, held=3.0),
        )
        request, *events = self.write(Span(9, "http://h/", began, attempts))
        begins = [round((e["ts"] - request["ts"]) / 1e6, 4) for e in events]
        found = [(e["name"], e.get("dur", 0) / 1e6) for e in events]
        self.assertEqual(
            list(zip(begins, found, strict=True)),
            [
                (0.0, ("429", 2.0)),
                (2.0, ("retry", 0.0)),
                (0.0, ("held", 2.0)),
                (2.0, ("pause", 0.5)),
                (10.5, ("200", 3.0)),
                (2.5, ("paced", 8.0)),
                (10.5, ("held", 3.0)),
            ],
        )
        self.assertAlmostEqual(
            request["ts"] / 1e6, steady_clock.monotonic(began) + 5, places=4
        )
        self.assertEqual(request["dur"], 13.5e6)

    def test_an_error_says_what_it_was(self) -> None:
        broken = drawn("dns", ended_by="error", message="no host", dns=1.0)
        again = drawn("dns", ended_by="error", message="no host", dns=1.0)
        events = self.write(Span(1, "http://h/", 0.0, (broken, again)))
        tried = [e["args"]["error"] for e in events if e.get("cat") == "attempt"]
        self.assertEqual(tried, ["no host", "no host"])

    def test_where_phases_lie(self) -> None:
        only = drawn("200", connect=1.0, held=2.0, wait=0.5, receive=0.25)
        began = steady_clock.now()
        request, *phases = self.write(Span(1, "http://h/", began, (only,)))
        begins = [round((e["ts"] - request["ts"]) / 1e6, 6) for e in phases]
        self.assertEqual(begins, [0, 1, 3, 3.5])
        self.assertEqual([e["dur"] / 1e6 for e in phases], [1, 2, 0.5, 0.25])

    @given(any_spans(4))
    def test_all_of_a_lane_lie_within_each_other_or_apart(
        self, spans: list[Span]
    ) -> None:
        for made in spans:
            span = replace(made, began=steady_clock.now())
            # In tenths of a microsecond: no more than one is dropped for.
            events = [
                (round(e["ts"] * 10), round((e["ts"] + e["dur"]) * 10), e["cat"])
                for e in self.write(span)
                if e["ph"] == "X"
            ]
            open_until: list[int] = []
            for begin, end, _ in events:
                while open_until and open_until[-1] <= begin:
                    open_until.pop()
                if open_until:
                    self.assertLessEqual(end, open_until[-1])
                open_until.append(end)
