"""What the client has recorded is played by the server, in virtual time."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from typing import Any

from nbtwisted.client.job import Job
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.result import Attempt, Result
from nbtwisted.client.results import har
from nbtwisted.server.recordings.har_file import read_har
from nbtwisted.server.rules.in_force import Origin
from tests.guard import ClockCase
from tests.wire_in_memory import STEP, Wire

ORIGIN = "http://127.0.0.1:8000"
PLAYER = "http://127.0.0.1:9000"

PATHS = (
    *("/?_delay=700ms", "/delay/400ms", "/get?_delay=lognormal(300ms,0.4)"),
    *("/get?_drip=600ms/7&_delay=200ms", "/bytes/9000?_rate=20kB&_delay=50ms"),
    *("/drip?duration=1&numbytes=5", "/stream/3?_drip=300ms/4", "/sse?count=3"),
    *("/status/204?_delay=120ms", "/status/404", "/bytes/300?seed=1", "/gzip"),
    "/get?_seq=503,503,200&_delay=150ms",
    "/redirect-to?url=/delay/300ms&_delay=200ms",
    "/absolute-redirect/2?_delay=100ms",
    *(f"/get?_fault={fault}&_delay=250ms" for fault in ("reset", "empty", "garbage")),
    *("/get?_fault=stall", "/get?_fault=stall-body&_delay=100ms"),
    "/get?_fault=truncate&_delay=100ms&_drip=800ms/9",
    "/get?_fault=malformed-chunk&_delay=100ms&_header=X-A:b",
)

NOT_THE_SAME = frozenset(
    ("date", "server-timing", "content-length", "content-encoding", "transfer-encoding")
)


class RecordedTests(ClockCase):
    def wire(self) -> Wire:
        wire = Wire(max_time=3.0, max_redirects=5, retries=Retries(number=2, delay=0.2))
        self.addCleanup(wire.close)
        return wire

    def recorded(self, results: list[Result]) -> str:
        """The path of a HAR of these."""
        entries = [
            e for n, result in enumerate(results) for e in har.entries(n, result)
        ]
        descriptor, path = tempfile.mkstemp(suffix=".har")
        self.addCleanup(os.unlink, path)
        with open(descriptor, "w") as file:
            file.write(har.HEAD + ",".join(map(json.dumps, entries)) + har.TAIL)
        return path

    def playing(self, results: list[Result], *, with_times: bool = True) -> Wire:
        """A wire to a server that plays what ended so."""
        wire = self.wire()
        path = self.recorded(results)
        rules, self.remarks = read_har(path, with_times=with_times, max_delay=300)
        wire.server.rules.set_origin(Origin.HAR, rules)
        return wire

    def test_the_waterfalls_agree(self) -> None:
        first = self.wire().get(*(ORIGIN + path for path in PATHS))
        second = self.playing(first).get(*(PLAYER + path for path in PATHS))
        for before, after in zip(first, second, strict=True):
            self.assertEqual(_outcome(before), _outcome(after), before.url)
            for one, other in zip(before.attempts, after.attempts, strict=True):
                for then, now in zip(_phases(one), _phases(other), strict=True):
                    self.assertLessEqual(abs(then - now), 5 * STEP, (then, now, one))
        self.assertIn("a body is not in it (3)", self.remarks[-1])

    def test_other_methods_and_bodies(self) -> None:
        jobs = [
            Job(ORIGIN + "/anything", "POST", (("Content-Type", "a/b"),), b"a=\xff"),
            Job(ORIGIN + "/anything", "PUT", body="ü".encode()),
            Job(ORIGIN + "/get?n=1", "HEAD"),
            Job(ORIGIN + "/redirect-to?url=/get&status_code=303", "POST", body=b"x"),
        ]
        first = self.wire().get(*jobs)
        for result in first:
            self.assertEqual(result.response and result.response.status, 200)
        again = [replace(job, url=PLAYER + job.url[len(ORIGIN) :]) for job in jobs]
        second = self.playing(first).get(*again)
        for before, after in zip(first, second, strict=True):
            self.assertEqual(_outcome(before), _outcome(after), before.url)
            methods = [attempt.message.method for attempt in before.attempts]
            self.assertEqual([a.message.method for a in after.attempts], methods)

    def test_nothing_waits_unless_told(self) -> None:
        first = self.wire().get(ORIGIN + "/get?_delay=2&_drip=500ms/5")
        (result,) = self.playing(first, with_times=False).get(
            ORIGIN + first[0].url[21:]
        )
        assert result.timing is not None
        self.assertLess(result.timing.total, 0.01)
        self.assertEqual(_outcome(result), _outcome(first[0]))

    def test_the_third_request_gets_the_third_answer(self) -> None:
        url = ORIGIN + "/get?_seq=503,404,200"
        wire = self.wire()
        first = [wire.get(url)[0] for _ in range(2)]
        # Retries are requests, too.
        self.assertEqual([r.last and r.last.status for r in first], [404, 200])
        wire = self.playing(first)
        again = [wire.get(url)[0] for _ in range(3)]
        self.assertEqual([r.last and r.last.status for r in again], [404, 200, 200])
        wire.server.in_flight.reset()
        self.assertEqual(wire.get(url)[0].attempts[0].status, 503)


def _outcome(result: Result) -> Any:
    response = result.response
    if response is None:
        return type(result.error), [attempt.status for attempt in result.attempts]
    headers = [h for h in response.headers if h[0].lower() not in NOT_THE_SAME]
    body = response.body
    if any(name == "Content-Encoding" for name, _ in response.headers):
        # It is not in the HAR.
        body = b"*" * len(body)
    statuses = [(attempt.status, attempt.then) for attempt in result.attempts]
    return statuses, sorted(headers), body


def _phases(attempt: Attempt) -> list[float]:
    timing = attempt.timing
    return [timing.wait or 0.0, timing.receive or 0.0, timing.total]
