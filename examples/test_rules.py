"""Tests of code that makes its URLs itself: a rule tells the server what to do."""

from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from treq.testing import StubTreq
from urllib3.util import Retry

from nbtwisted.pytest_plugin import SlowServer
from nbtwisted.testing.slow_app import SlowApp


def get_order(base: str, number: int) -> str:
    """What is under test: it asks again, after longer and longer pauses."""
    retries = Retry(total=3, backoff_factor=0.1, status_forcelist=[503])
    with requests.Session() as session:
        session.mount(base, HTTPAdapter(max_retries=retries))
        return session.get(f"{base}/orders/{number}", timeout=10).text


def test_a_slow_service_that_breaks(slow_server: SlowServer) -> None:
    with (
        slow_server.rule(path="/orders/*", delay="50ms", fault="reset") as rule,
        pytest.raises(requests.ConnectionError),
    ):
        get_order(slow_server.url, 7)
    assert len(rule.requests()) == 4


def test_backs_off(slow_server: SlowServer) -> None:
    steps = [{"fault": "reset"}, {"status": 503}, {"status": 503}, {}]
    rule = slow_server.rule(path="/orders/{id}", body="order {id}", steps=steps)
    assert get_order(slow_server.url, 7) == "order 7"
    _, second, third = rule.gaps()
    assert second >= 0.2
    assert third >= 0.4


def test_ten_minutes_of_outage(slow_app: SlowApp) -> None:
    treq: Any = StubTreq(slow_app)
    statuses: list[int] = []

    def ask() -> None:
        asked = treq.get("http://test/payments/1")
        asked.addCallback(lambda answer: statuses.append(answer.code))
        treq.flush()

    outage = {"from": "5s", "until": "605s", "status": 503}
    slow_app.rule(path="/payments/*", during=[outage])
    for seconds in (0, 5, 599, 1):
        slow_app.clock.advance(seconds)
        ask()
    assert statuses == [200, 503, 503, 200]
