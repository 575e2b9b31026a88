"""The connection that carries an exchange, as the exchange sees it."""

from __future__ import annotations

from typing import Protocol

from nbtwisted.server.engine.upstream import Tunnel

__all__ = ["DEFAULT_SEND_TIMEOUT", "Connection"]

DEFAULT_SEND_TIMEOUT = 30.0
"""Seconds for which a client may take nothing of a response."""


class Connection(Protocol):
    """Carries one response at a time to a client.

    While an exchange is open, the connection tells it `pause` and `resume` as the
    client reads, `client_left` when it is gone, and nothing more after that.
    """

    @property
    def is_persistent(self) -> bool:
        """Whether the client may send another request after this one."""

    @property
    def is_open(self) -> bool:
        """Whether the connection has not ended."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def finish(self, idle: float | None) -> None:
        """The response is whole; another request may follow.

        If none has begun `idle` seconds later, the connection closes; None leaves it to
        the connection how long it waits.
        """

    def begin_tunnel(self, tunnel: Tunnel) -> None:
        """Pass bytes both ways from now on, and end with the tunnel."""

    def stall(self) -> None:
        """Nothing more of the response follows; the connection stays open."""

    def close(self) -> None:
        """Close the connection in an orderly way, after the last byte (FIN)."""

    def reset(self) -> None:
        """Abort the connection at once (RST)."""
