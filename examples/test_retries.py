"""Tests of code that has to get along with a slow, broken server."""

from typing import Any

import pytest
import requests
from treq.testing import StubTreq

from nbtwisted.pytest_plugin import SlowServer
from nbtwisted.testing.slow_app import SlowApp


def get_patiently(url: str, timeout: float = 10) -> int:
    """What is under test: it asks again when it was not answered."""
    for _ in range(3):
        try:
            answer = requests.get(url, timeout=timeout)
        except requests.RequestException:
            continue
        if answer.status_code != 503:
            return answer.status_code
    return 0


def test_asks_again(slow_server: SlowServer) -> None:
    url = slow_server.url + "/get?_seq=503,503,200&_key=a"
    assert get_patiently(url) == 200
    asked = slow_server.requests(key="a")
    assert [request["status"] for request in asked] == [503, 503, 200]


@pytest.mark.parametrize("fault", ["reset", "empty", "stall", "truncate"])
def test_gives_up(slow_server: SlowServer, fault: str) -> None:
    url = f"{slow_server.url}/get?_fault={fault}"
    assert get_patiently(url, timeout=0.1) == 0
    assert len(slow_server.requests()) == 3


def test_an_hour_passes(slow_app: SlowApp) -> None:
    treq: Any = StubTreq(slow_app)
    answers: list[Any] = []
    treq.get("http://test/delay/60m").addCallback(answers.append)
    slow_app.clock.advance(3600)
    treq.flush()
    assert [answer.code for answer in answers] == [200]
