"""What `tests/guard.py` does for cases, for tests that are plain functions."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.python import log

from tests.guard import forget_what_came_before, leftovers, open_sockets, real_reactor

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test function that leaves an error, a delayed call or a socket behind."""
    if request.cls is not None:  # the cases guard themselves
        yield
        return
    errors: list[dict[str, Any]] = []

    def observe(event: dict[str, Any]) -> None:
        if event.get("isError"):
            errors.append(event)

    forget_what_came_before()
    log.addObserver(observe)
    # It has sockets of its own, if this is the first to ask for it.
    reactor = real_reactor()
    sockets_before = open_sockets()
    try:
        yield
        left = leftovers(reactor, sockets_before)
    finally:
        gc.collect()
        log.removeObserver(observe)
    left += [f"error: {event.get('failure') or event}" for event in errors]
    assert not left, "\n".join(left)
