"""Carries a `Behaviour` out: the one place of the server that waits."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from twisted.internet.defer import succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.server import Request

from nbtwisted.server.behaviour import Behaviour

__all__ = ["Performer"]


class Performer:
    """Answers requests, with one timer for each one that is held.

    `clock` runs the timers; `now` reads seconds for measuring how long an answer was
    really held; `random` draws the delays.
    """

    def __init__(
        self, clock: IReactorTime, now: Callable[[], float], random: Random
    ) -> None:
        self._clock = clock
        self._now = now
        self._random = random

    async def perform(self, behaviour: Behaviour, request: Request) -> bytes:
        """Wait, then set the status and the headers; the body is returned to Klein.

        When the client leaves, Klein cancels what this waits for, and the timer is gone
        at once. Nothing here may catch that cancellation.
        """
        asked = behaviour.delay.draw(self._random)
        began = self._now()
        # No delay still goes through a Deferred, so that both take one way.
        await (deferLater(self._clock, asked) if asked else succeed(None))
        held = self._now() - began
        body = behaviour.body_after(asked)
        request.setResponseCode(behaviour.status)
        for name, value in behaviour.headers:
            request.responseHeaders.addRawHeader(name, value)
        # Without a length twisted.web would send the body chunked.
        request.setHeader("Content-Length", str(len(body)))
        request.setHeader(
            "Server-Timing",
            f"asked;dur={_milliseconds(asked)}, held;dur={_milliseconds(held)}",
        )
        return body


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f}".removesuffix(".0")
