"""The whole server: the routes with their clock, their seed and their limits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from random import SystemRandom

from twisted.internet.interfaces import IReactorTime

from nbtwisted.server.engine.in_flight import InFlightRequests
from nbtwisted.server.engine.journal import JOURNAL_SIZE, Entry
from nbtwisted.server.http1.delivery import DEFAULT_SEND_TIMEOUT
from nbtwisted.server.http1.twisted_web import DelayResource
from nbtwisted.server.http1.watch import Watch
from nbtwisted.server.model.delay import DEFAULT_MAX_DELAY

# Importing modules of routes adds their paths.
from nbtwisted.server.routes import admin, basic, httpbin, live  # noqa: F401
from nbtwisted.server.routes.router import Server, app
from nbtwisted.server.routes.viewing import Overview

__all__ = ["DelayServer"]

SEED_BITS = 59
"""Bits of a random seed, which has at most the 18 digits that `--seed` takes."""


class DelayServer(Server):
    """The routes with their clock, their seed and their limits.

    clock            runs the delays
    now              reads the seconds that they are measured by
    seed             decides what is left to chance; random unless given
    max_in_flight    above so many requests, others are refused
    on_end           is called with each request that is over
    on_quiet         is called when many that were held are over, and no request is in
                     flight
    journal_size     how many requests the journal remembers

    The others are those of `Server`.
    """

    app = app

    def __init__(
        self,
        *,
        clock: IReactorTime,
        now: Callable[[], float] = time.monotonic,
        seed: int | None = None,
        max_delay: float = DEFAULT_MAX_DELAY,
        send_timeout: float = DEFAULT_SEND_TIMEOUT,
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
        self.send_timeout = send_timeout
        self.lenient = lenient
        self.admin_token = admin_token
        self.access_log_lost = access_log_lost
        # The traced reactor has one; Twisted's have not.
        recorder = getattr(clock, "recorder", None)
        self.reactor_figures = recorder.figures if recorder is not None else None
        self.in_flight = InFlightRequests(
            clock,
            now,
            self.seed,
            max_in_flight=max_in_flight,
            on_end=on_end,
            on_quiet=on_quiet,
            journal_size=journal_size,
        )
        self.overview = Overview(self.in_flight.journal)
        self.instance_id = f"{SystemRandom().getrandbits(64):x}"

    def resource(self) -> DelayResource:
        """The server as a resource of twisted.web."""
        return DelayResource(self, Watch(self.in_flight.clock))
