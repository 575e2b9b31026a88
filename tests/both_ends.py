"""Server and client in one process, on one reactor, which pytest-twisted runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.web.server import Site

from nbtwisted.client import Response, get, get_all
from nbtwisted.client.errors import DeadlinePassed
from nbtwisted.server.delay_server import DelayServer
from tests.guard import real_reactor


@pytest_twisted.async_yield_fixture()  # type: ignore[untyped-decorator]
async def url() -> AsyncIterator[str]:
    """Where the server listens."""
    reactor = real_reactor()
    site = Site(DelayServer(clock=reactor).resource())
    port: IListeningPort = await TCP4ServerEndpoint(
        reactor, 0, interface="127.0.0.1"
    ).listen(site)
    host: Any = port.getHost()
    yield f"http://127.0.0.1:{host.port}/"
    await maybeDeferred(port.stopListening)


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_five_waits_take_the_time_of_one(url: str) -> None:
    asked = [f"{url}delay/300ms?n={n}" for n in range(5)]
    results = await get_all(asked, reactor=real_reactor())
    answers = [answer for _, answer in results if isinstance(answer, Response)]
    assert [answer.url for answer in answers] == asked
    # One after another the last would have waited for 1.5 seconds.
    assert max(answer.timing.wait or 99 for answer in answers) < 2 * 0.3


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_deadline_ends_the_wait_at_both_ends(url: str) -> None:
    with pytest.raises(DeadlinePassed):
        await get(f"{url}delay/60", reactor=real_reactor(), max_time=0.05)
    # That the server's timer went too, in a turn or two, is for the guard to see.
    assert (await get(f"{url}healthz", reactor=real_reactor())).status == 200
