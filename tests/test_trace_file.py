"""Trace Event JSON."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from nbtwisted.trace_file import TraceFile
from tests.guard import ClockCase


class TraceFileTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "trace.json")

    def read(self) -> list[dict[str, Any]]:
        trace = json.loads(Path(self.path).read_text())
        self.assertEqual(set(trace), {"displayTimeUnit", "traceEvents"})
        events: list[dict[str, Any]] = trace["traceEvents"]
        return events

    def test_spans(self) -> None:
        file = TraceFile(self.path)
        file.span("poll", 1.5, 1.75, category="wait")
        file.span(
            'a "b" \u2028',
            2.0,
            2.000001,
            category="callback",
            lane=7,
            details={"of": "[1.2.3.4:5]"},
        )
        file.close()
        file.close()
        first, second = self.read()
        self.assertEqual((first["ph"], first["ts"], first["dur"]), ("X", 1.5e6, 0.25e6))
        self.assertEqual((first["cat"], "args" in first), ("wait", False))
        self.assertEqual((second["name"], second["dur"]), ('a "b" \u2028', 1.0))
        self.assertEqual((second["tid"], second["args"]), (7, {"of": "[1.2.3.4:5]"}))
        self.assertEqual(first["pid"], second["pid"])
        # Whoever is late is not heard any more, and does no harm.
        file.span("late", 3.0, 4.0, category="wait")

    def test_names_and_instants(self) -> None:
        file = TraceFile(self.path)
        file.call_process("nbtwisted get")
        file.call_lane(2, "in flight 2")
        file.instant("retry", 1.0, category="attempt", lane=2)
        file.close()
        process, lane, instant = self.read()
        self.assertEqual(process["name"], "process_name")
        self.assertEqual(process["args"], {"name": "nbtwisted get"})
        self.assertEqual((lane["name"], lane["tid"]), ("thread_name", 2))
        self.assertEqual((instant["ph"], instant["ts"], instant["tid"]), ("i", 1e6, 2))

    def test_none(self) -> None:
        TraceFile(self.path).close()
        self.assertEqual(self.read(), [])

    def test_full(self) -> None:
        file = TraceFile(self.path, most=1000)
        for number in range(100):
            file.span(str(number), number, number + 1.0, category="wait")
        self.assertTrue(file.is_full)
        file.close()
        events = self.read()
        self.assertEqual(events[-1]["name"], "the file is full")
        self.assertLess(Path(self.path).stat().st_size, 1300)

    def test_where_it_cannot_be(self) -> None:
        with self.assertRaises(OSError):
            TraceFile("/nowhere/trace.json")
