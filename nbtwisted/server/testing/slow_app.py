"""The app on a clock that a test moves."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.task import Clock

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.twisted_web import DelayResource
from nbtwisted.server.http1.watch import Watch
from nbtwisted.server.testing.attempts import gaps_between

__all__ = ["SlowApp"]

A_WEEK = 7 * 24 * 3600.0


class SlowApp(DelayResource):
    """The app as a twisted.web resource, on a `task.Clock`: `clock`.

    Hand it to `treq.testing.StubTreq`, or to a `twisted.web.server.Site`. Delays of up
    to a week pass as fast as `clock.advance()` lets them. The journal's times are of
    that clock, too: what it says is added to the time at which the app was made.
    """

    def __init__(self, *, seed: int, **settings: Any) -> None:
        self.clock = Clock()
        self.seed = seed
        # A whole number, so that sums of a test's own numbers are exact.
        began = int(time.time())
        server = DelayServer(
            clock=self.clock,
            now=self.clock.seconds,
            unix_time=lambda: began + self.clock.seconds(),
            seed=seed,
            **{"max_delay": A_WEEK, **settings},
        )
        self._server = server
        # The test's clock runs delays, and no deadlines of connections.
        super().__init__(server, Watch(Clock()))

    def requests(self, key: str | None = None) -> list[dict[str, Any]]:
        """The journal's requests, oldest first; of one key, if it is given."""
        entries = self._server.in_flight.journal.entries(key=key)
        return [entry.as_json() for entry in entries]

    def gaps(self, key: str | None = None) -> list[float]:
        """Seconds between each two requests, as `SlowServer.gaps` has them."""
        return gaps_between(self.requests(key))

    def reset(self) -> int:
        """Forget all requests, and release those in flight; returns how many."""
        return self._server.reset()
