"""Requests to the app by each channel that there is, in memory and on a clock."""

from __future__ import annotations

from typing import Any

from tests.guard import ClockCase
from tests.server.in_memory import Reply, Visit

CHANNELS = ("ours", "twisted")


class EveryChannelCase(ClockCase):
    """Asks by every channel, and expects the same answer of all."""

    def visit(self, channel: str, **settings: Any) -> Visit:
        """A client that is connected to a server of its own."""
        visit = Visit(self.clock, channel=channel, **settings)
        self.addCleanup(visit.leave)
        return visit

    def ask(
        self,
        target: str,
        *headers: str,
        method: str = "GET",
        body: bytes = b"",
        channels: tuple[str, ...] = CHANNELS,
        **settings: Any,
    ) -> Reply:
        """The answer to a request that does not have to wait."""
        if body:
            headers = (*headers, f"Content-Length: {len(body)}")
        replies = []
        for channel in channels:
            visit = self.visit(channel, **settings)
            visit.get(target, *headers, method=method)
            if body:
                visit.send(body)
            reply = visit.reply(method)
            self.assertRegex(reply.headers.pop("date"), "GMT$")
            replies.append(reply)
        for channel, reply in zip(channels, replies, strict=True):
            self.assertEqual(reply, replies[0], channel)
        return replies[0]
