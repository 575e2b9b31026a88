"""A thousand proxies are made and deleted over the API, and leave nothing."""

from __future__ import annotations

import gc
import http.client
import json
import socket
from contextlib import ExitStack
from typing import Any

import pytest
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from nbtwisted.memo import Memo
from nbtwisted.proxy.listed_streams import ListedStreams
from nbtwisted.proxy.operators import StreamServer
from nbtwisted.proxy.stream.link import Link
from nbtwisted.proxy.stream.listener import StreamProxy
from nbtwisted.proxy.toxiproxy.api import ToxiproxyAPI
from nbtwisted.proxy.toxiproxy.collection import MOST_PROXIES
from nbtwisted.proxy.toxiproxy.named_proxy import NamedProxy
from nbtwisted.proxy.toxiproxy.toxics import Toxic
from tests.guard import TIMEOUT, open_sockets
from tests.proxy.toxiproxy.test_python_client import PATIENCE, ClientCase

pytestmark = pytest.mark.timeout(180)

WITH_LINKS = 50
"""Proxies that have a link in the middle of something."""

LOOKS = 500


class Session:
    """One connection to the API."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, PATIENCE)

    def ask(self, method: str, path: str, given: object = None) -> Any:
        body = None if given is None else json.dumps(given)
        self._connection.request(method, path, body)
        with self._connection.getresponse() as response:
            answer = response.read()
        assert response.status < 300, answer
        return json.loads(answer) if answer else None

    def close(self) -> None:
        self._connection.close()


def alive(*kinds: type) -> int:
    """How many objects of these types there are."""
    gc.collect()
    return sum(isinstance(it, kinds) for it in gc.get_objects())


def ours() -> int:
    """How many objects of our own types there are.

    Trial's workers keep others: each line of the log, until it was sent.
    """
    return sum(
        str(type(it).__module__).startswith("nbtwisted.") for it in gc.get_objects()
    )


class ManyProxiesTests(ClientCase):
    # Three seconds of work, for which a machine that is shared by ten takes thirty.
    timeout = 4 * TIMEOUT

    async def test_they_leave_nothing(self) -> None:
        kinds = (NamedProxy, StreamProxy, Link, Toxic)
        self.assertEqual(alive(*kinds), 0)
        objects = []
        # Trial sets a timer of its own.
        await deferLater(self.reactor, 0)
        # What is remembered of requests comes and goes with what other tests ask.
        self.patch(Memo, "is_on", False)
        for _ in range(2):
            before, timers = open_sockets(), len(self.reactor.getDelayedCalls())
            await deferToThread(self.make_and_delete)
            # The API's own connection ends when the reactor looks at it.
            for _ in range(LOOKS):
                if open_sockets() == before:
                    break
                await deferLater(self.reactor, 0.01)
            self.assertEqual(open_sockets(), before)
            self.assertEqual(alive(*kinds), 0)
            self.assertLessEqual(len(self.reactor.getDelayedCalls()), timers)
            objects.append(ours())
        self.assertLess(objects[1] - objects[0], MOST_PROXIES // 10)

    def serve(self) -> int:
        # As the command has it, whose operators see all links.
        self.server = StreamServer(clock=self.reactor, seed=7)
        streams = ListedStreams(self.reactor, self.server, allow_remote=False)
        api = ToxiproxyAPI(self.reactor, seed=7, streams=streams)
        self.addCleanup(api.stop)
        return self.listen(api.site())

    def make_and_delete(self) -> None:
        names = [f"proxy-{number}" for number in range(MOST_PROXIES)]
        session = Session(self.api_port)
        with ExitStack() as links:
            links.callback(session.close)
            made = session.ask(
                "POST",
                "/populate",
                [{"name": name, "upstream": self.upstream} for name in names],
            )["proxies"]
            self.assertEqual([it["name"] for it in made], names)
            self.assertEqual(len(session.ask("GET", "/proxies")), MOST_PROXIES)
            self.assertEqual(len(self.server.proxies), MOST_PROXIES)
            for proxy in made[:WITH_LINKS]:
                for toxic in (
                    {"type": "latency", "attributes": {"latency": 60_000}},
                    {"type": "timeout", "stream": "upstream"},
                ):
                    session.ask("POST", f"/proxies/{proxy['name']}/toxics", toxic)
                host, _, port = proxy["listen"].rpartition(":")
                link = socket.create_connection((host, int(port)), PATIENCE)
                links.enter_context(link).sendall(b"ECHO hello\n")
            for name in names:
                session.ask("DELETE", f"/proxies/{name}")
            self.assertEqual(session.ask("GET", "/proxies"), {})
