"""The app on a clock that a test moves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from twisted.internet.task import Clock

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.twisted_web import DelayResource
from nbtwisted.server.http1.watch import Watch
from nbtwisted.server.routes.rules import as_json
from nbtwisted.server.rules.in_force import NameTaken
from nbtwisted.testing.rules import TakesRules
from nbtwisted.testing.with_rules import server_with_rules

__all__ = ["SlowApp"]

A_WEEK = 7 * 24 * 3600.0


class SlowApp(DelayResource, TakesRules):
    """The app as a twisted.web resource on a `task.Clock`, `clock`; it takes rules.

    Hand it to `treq.testing.StubTreq`, or to a `twisted.web.server.Site`. Delays of up
    to a week pass as fast as `clock.advance()` lets them. The journal's times are of
    that clock, too: what it says is added to the time at which the app was made. The
    settings are those of the mark `slow_server`; raises `ValueError` for rules that
    cannot be read.
    """

    def __init__(self, *, seed: int, **settings: Any) -> None:
        self.clock = Clock()
        self.seed = seed
        # A whole number, so that sums of a test's own numbers are exact.
        began = int(time.time())
        server = server_with_rules(
            DelayServer,
            clock=self.clock,
            now=self.clock.seconds,
            unix_time=lambda: began + self.clock.seconds(),
            seed=seed,
            **{"max_delay": A_WEEK, **settings},
        )
        self._server = server
        # The test's clock runs delays, and no deadlines of connections.
        super().__init__(server, Watch(Clock()))

    def reset(self) -> int:
        """Forget all requests, and release those in flight; returns how many."""
        return self._server.reset()

    def _requests(self, key: str | None, rule: str | None) -> list[dict[str, Any]]:
        entries = self._server.in_flight.journal.entries(key=key, rule=rule)
        return [entry.as_json() for entry in entries]

    def _rules(self) -> list[dict[str, Any]]:
        server = self._server
        return [as_json(server, standing) for standing in server.rules.standing]

    def _add_rule(self, rule: Mapping[str, Any]) -> None:
        rules = self._server.rules
        try:
            rules.add(*rules.parse(rule))
        except NameTaken as error:
            raise ValueError(
                f"there is a rule of this name ({str(error)!r}): expected another name"
            ) from None

    def _remove_rule(self, name: str) -> None:
        self._server.rules.remove(name)
