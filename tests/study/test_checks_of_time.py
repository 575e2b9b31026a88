from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study.checks import Check, lingers, spans
from nbtwisted.study.run import Ending, Request, Run


def request(came: float, ended: float | None) -> Request:
    return Request(1, came, ended, "GET", "/", {}, 200, "answered", None, 0.0, 0)


def run(*requests: Request, seconds: float) -> Run:
    return Run(Ending(0, seconds, 0.0, 0.0, 0), "", "", requests)


class ChecksOfTime(SynchronousTestCase):
    def good(self, check: Check, of: Run) -> bool:
        found = check(of)
        assert found is not None
        return found.is_good

    def test_requests_span_from_the_first_to_the_end_of_the_last(self) -> None:
        slow_start = run(request(5.0, 6.0), request(5.5, 5.9), seconds=9.0)
        self.assertTrue(self.good(spans(below=1.1), slow_start))
        self.assertFalse(self.good(spans(below=0.9), slow_start))
        self.assertFalse(self.good(spans(above=1.1), slow_start))

    def test_request_in_flight_ends_with_the_program(self) -> None:
        left = run(request(1.0, None), seconds=4.0)
        self.assertFalse(self.good(spans(below=2.9), left))
        self.assertTrue(self.good(lingers(below=0.1), left))

    def test_program_lingers_after_its_last_request(self) -> None:
        late = run(request(0.2, 1.0), request(0.1, 0.4), seconds=4.0)
        self.assertTrue(self.good(lingers(below=3.1), late))
        self.assertFalse(self.good(lingers(below=2.9), late))
