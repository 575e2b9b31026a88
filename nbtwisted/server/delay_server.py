"""The whole server: the app with its clock, its seed and its limits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from random import SystemRandom

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource

from nbtwisted.server.engine.answer import Performer
from nbtwisted.server.engine.journal import JOURNAL_SIZE, Entry
from nbtwisted.server.engine.traffic import Traffic
from nbtwisted.server.http1.doorkeeper import Doorkeeper
from nbtwisted.server.model.delay import DEFAULT_MAX_DELAY

# To import modules of routes is to add them to the app.
from nbtwisted.server.routes import admin, basic, httpbin, live  # noqa: F401
from nbtwisted.server.routes.router import Server, app
from nbtwisted.server.routes.viewing import Overview

__all__ = ["DelayServer"]

SEED_BITS = 59
"""Of a seed that nobody gave: it has at most the 18 digits that `--seed` takes."""


class DelayServer(Server):
    """The app with its clock, its seed and its limits.

    `clock` runs the delays. `now` reads the seconds that they are measured by. `seed`
    decides all that is left to chance; without one, each server has its own.
    `max_delay` is in seconds. If it is `lenient`, parameters that begin with `_` and
    are no controls are left to the path. Above `max_in_flight` requests, others are
    refused.
    `admin_token` is what operators have to show, if there is one. `on_end` is called
    with each request that is over, `on_quiet` when many that were held are over and
    nothing is in flight. `access_log_lost` counts lines of the access log, if there is
    one, that could not be written. The last `journal_size` requests are remembered.
    """

    app = app

    def __init__(
        self,
        *,
        clock: IReactorTime,
        now: Callable[[], float] = time.monotonic,
        seed: int | None = None,
        max_delay: float = DEFAULT_MAX_DELAY,
        lenient: bool = False,
        max_in_flight: float = math.inf,
        admin_token: str | None = None,
        on_end: Callable[[Entry], None] | None = None,
        on_quiet: Callable[[], None] | None = None,
        access_log_lost: Callable[[], int] | None = None,
        journal_size: int = JOURNAL_SIZE,
    ) -> None:
        self.seed = SystemRandom().getrandbits(SEED_BITS) if seed is None else seed
        self.max_delay = max_delay
        self.lenient = lenient
        self.admin_token = admin_token
        self.access_log_lost = access_log_lost
        # The traced reactor has one; Twisted's have not.
        recorder = getattr(clock, "recorder", None)
        self.reactor_figures = recorder.figures if recorder is not None else None
        self.traffic = Traffic(
            Performer(clock, now, self.seed),
            clock,
            max_in_flight=max_in_flight,
            on_end=on_end,
            on_quiet=on_quiet,
            journal_size=journal_size,
        )
        self.overview = Overview(self.traffic.journal)
        self.life = f"{SystemRandom().getrandbits(64):x}"

    def resource(self) -> Resource:
        """The app as twisted.web wants it."""
        return Doorkeeper(self.app.resource(), self.traffic)
