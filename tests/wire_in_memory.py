"""Client and server in one process, joined without sockets, in virtual time."""

from __future__ import annotations

from typing import Any

from nbtwisted.client.job import Job
from nbtwisted.client.request.request import Request
from nbtwisted.client.result import Result
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.site import DelaySite
from tests.client.in_memory import Connection, Network
from tests.server.in_memory import Visit

__all__ = ["Wire"]

STEP = 0.001
"""Seconds that each look at the wire takes."""


class Wire:
    """A client and a server on one clock; `options` are the client's.

    `server` may be given rules before anything is sent.
    """

    def __init__(self, **options: Any) -> None:
        self.clock = Network()
        self.server = DelayServer(clock=self.clock, now=self.clock.seconds, seed=4)
        self._site = DelaySite(self.server, self.clock)
        self._getter = self.clock.getter(
            draw=lambda: 0.5, more_to_come=True, connections=100, **options
        )
        self._ends: list[tuple[Connection, Visit]] = []
        self._taken: dict[Connection, int] = {}

    def get(self, *asked: str | Job) -> list[Result]:
        """Send requests, all at once; how they ended, in the order asked."""
        results: dict[int, Result] = {}

        def note(number: int) -> Any:
            def end(request: Request, result: Result) -> None:
                results[number] = result

            return end

        for number, job in enumerate(asked):
            self._getter.request(job).start(note(number))
        while len(results) < len(asked):
            self._carry()
            self.clock.advance(STEP)
        return [results[number] for number in range(len(asked))]

    def close(self) -> None:
        """End what is left of both."""
        self._getter.close()
        self._carry()
        for _, visit in self._ends:
            visit.leave()
        self.clock.advance(60)

    def _carry(self) -> None:
        while len(self._ends) < len(self.clock.attempts):
            connection = self.clock.accept(len(self._ends))
            self._ends.append((connection, Visit(self.clock, site=self._site)))
        for connection, visit in self._ends:
            if connection.state == "gone":
                continue
            if connection.has_something_to_send:
                visit.send(connection.take_request())
            taken = self._taken.get(connection, 0)
            came = visit.received[taken:]
            self._taken[connection] = taken + len(came)
            if came and connection.state == "open":
                connection.answer(came)
            if connection.state != "open":
                visit.leave()
                connection.finish()
            elif visit.is_aborted:
                connection.reset()
            elif visit.is_closed:
                visit.leave()
                connection.close()
