"""Servers in memory that answer each request in its time, and a clock that leaps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from tests.client.in_memory import Connection, Network

Answer = Callable[[str, int], bytes]
"""The response of a host to its nth request, from 0."""


class Orderly:
    """A network of servers that take every connection, and answer `latency` later.

    `asked` has, for each host, the moments at which a request came; `busiest`, how many
    it had at once, and `answered` what it said when.
    """

    def __init__(self, answer: Answer, *, latency: float = 0.001) -> None:
        self.network = Network()
        # What is counted from the beginning is not counted from zero.
        self.network.advance(100)
        self.asked: defaultdict[str, list[float]] = defaultdict(list)
        self.busiest: Counter[str] = Counter()
        self.answered: list[tuple[str, float, bytes]] = []
        self._answer = answer
        self._latency = latency
        self._accepted = 0
        self._connections: list[tuple[str, Connection]] = []
        self._answering: dict[Connection, Any] = {}

    def run(self, gathered: Deferred[Any], *, until: float = 1e6) -> None:
        """Go from one timer to the next until all have ended, or until a moment."""
        self._settle()
        while not gathered.called and (times := self._times()) and times[0] <= until:
            self.network.advance(max(times[0] - self.network.seconds(), 0.0))
            self._settle()

    def _times(self) -> list[float]:
        return sorted(call.getTime() for call in self.network.getDelayedCalls())

    def _settle(self) -> None:
        """Take what came; what is to be closed is closed."""
        network = self.network
        while self._accepted < len(network.attempts):
            number, self._accepted = self._accepted, self._accepted + 1
            if not network.given_up[number]:
                host, _ = network.attempts[number]
                self._connections.append((host, network.accept(number)))
        for host, connection in list(self._connections):
            if connection.has_something_to_send:
                connection.take_request()
                asked = self.asked[host]
                asked.append(network.seconds())
                data = self._answer(host, len(asked) - 1)
                self._answering[connection] = network.callLater(
                    self._latency, self._send, connection, host, data
                )
                busy = sum(
                    connection in self._answering
                    for at, connection in self._connections
                    if at == host
                )
                self.busiest[host] = max(self.busiest[host], busy)
            if connection.state.endswith("ing"):
                connection.finish()
                if connection in self._answering:
                    self._answering.pop(connection).cancel()
                self._connections.remove((host, connection))
                self._settle()
                return

    def _send(self, connection: Connection, host: str, data: bytes) -> None:
        del self._answering[connection]
        # Unless the client gave it up in this very turn.
        if connection.state == "open":
            self.answered.append((host, self.network.seconds(), data))
            connection.answer(data)
