"""The client's end of a tunnel through a proxy."""

from __future__ import annotations

from typing import Any

from nbtwisted.server.engine.exchange import Exchange

__all__ = ["ClientEnd"]


class ClientEnd:
    """Passes bytes of another protocol to the client of an `exchange`."""

    def __init__(self, exchange: Exchange, transport: Any) -> None:
        self._exchange = exchange
        self._transport = transport

    def pass_on(self, data: bytes) -> None:
        """As every client's; so are those that follow."""
        self._exchange.entry.sent += len(data)
        self._exchange.connection.write(data)

    def upstream_left(self, *, by_reset: bool) -> None:  # noqa: D102
        self._exchange.end_tunnel(by_reset=by_reset)

    def pause_reading(self) -> None:  # noqa: D102
        self._transport.pauseProducing()

    def resume_reading(self) -> None:  # noqa: D102
        self._transport.resumeProducing()
