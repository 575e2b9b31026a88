"""The whole server: the app with its clock, its seed and its limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import SystemRandom

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource

# To import modules of routes is to add them to the app.
from nbtwisted.server import httpbin, routes  # noqa: F401
from nbtwisted.server.answer import Performer
from nbtwisted.server.app import Server, app
from nbtwisted.server.delay import DEFAULT_MAX_DELAY
from nbtwisted.server.doorkeeper import Doorkeeper

__all__ = ["DelayServer"]


class DelayServer(Server):
    """The app with its clock, its seed and its limits.

    `clock` runs the delays. `now` reads the seconds that they are measured by. `seed`
    decides all that is left to chance; without one, each server has its own.
    `max_delay` is in seconds.
    """

    app = app

    def __init__(
        self,
        *,
        clock: IReactorTime,
        now: Callable[[], float] = time.monotonic,
        seed: int | None = None,
        max_delay: float = DEFAULT_MAX_DELAY,
    ) -> None:
        self.seed = SystemRandom().getrandbits(64) if seed is None else seed
        self.max_delay = max_delay
        self.performer = Performer(clock, now, self.seed)

    def resource(self) -> Resource:
        """The app as twisted.web wants it."""
        return Doorkeeper(self.app.resource(), self.performer)
