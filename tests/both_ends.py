"""Server and client in one process, on one reactor, which pytest-twisted runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.task import Clock, deferLater
from twisted.web.server import Site

from nbtwisted.client import Response, get, get_all
from nbtwisted.client.errors import DeadlinePassed
from nbtwisted.server.delay_server import DelayServer
from tests.guard import real_reactor


@contextlib.asynccontextmanager
async def serving(clock: IReactorTime) -> AsyncIterator[tuple[DelayServer, str]]:
    """A server whose delays run on `clock`, and where it listens."""
    reactor = real_reactor()
    server = DelayServer(clock=clock)
    port: IListeningPort = await TCP4ServerEndpoint(
        reactor, 0, interface="127.0.0.1"
    ).listen(Site(server.resource()))
    host: Any = port.getHost()
    yield server, f"http://127.0.0.1:{host.port}/"
    await maybeDeferred(port.stopListening)


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_five_waits_take_the_time_of_one() -> None:
    reactor, clock = real_reactor(), Clock()
    async with serving(clock) as (server, url):
        asked = [f"{url}delay/300ms?n={n}" for n in range(5)]
        gathered = get_all(asked, reactor=reactor)
        while server.in_flight.journal.in_flight < len(asked):
            await deferLater(reactor, 0)
        # One after another the last would have waited for 1.5 seconds.
        clock.advance(0.3)
        results = await gathered
    answers = [answer for _, answer in results if isinstance(answer, Response)]
    assert [answer.url for answer in answers] == asked


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_deadline_ends_the_wait_at_both_ends() -> None:
    reactor = real_reactor()
    async with serving(reactor) as (_, url):
        with pytest.raises(DeadlinePassed):
            await get(f"{url}delay/60", reactor=reactor, max_time=0.05)
        # That the server's timer went too, in a turn or two, is for the guard to see.
        assert (await get(f"{url}healthz", reactor=reactor)).status == 200
