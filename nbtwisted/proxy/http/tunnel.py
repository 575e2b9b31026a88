"""Bytes of another protocol, after an upstream has switched to it: WebSocket's."""

from __future__ import annotations

from nbtwisted.client.connection.protocol import Connection
from nbtwisted.server.engine.upstream import Client

__all__ = ["UpgradedTunnel"]


class UpgradedTunnel:
    """Passes bytes both ways between a client and the upstream's `connection`.

    `early` came with the head. Until it is started, the upstream waits.
    """

    def __init__(self, connection: Connection, early: bytes) -> None:
        self._connection: Connection | None = connection
        self._early = early
        self._client: Client | None = None
        connection.follower = self
        connection.pause()

    def start(self, client: Client) -> None:
        """As every tunnel's; so are those that follow."""
        if self._connection is None:
            client.upstream_left(by_reset=False)
            return
        self._client = client
        if self._early:
            early, self._early = self._early, b""
            client.pass_on(early)
        self._connection.resume()

    def received(self, data: bytes) -> None:  # noqa: D102
        if self._connection is not None:
            self._connection.pass_on(data)

    def pause(self) -> None:  # noqa: D102
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:  # noqa: D102
        if self._connection is not None:
            self._connection.resume()

    def client_left(self) -> None:
        """The asking that it is of is stopped, which closes the connection."""
        self._client = None

    # What the upstream's connection tells its follower.

    def response_goes_on(self, connection: Connection) -> None:
        """There is no response any more."""

    def room_to_send(self, has_room: bool) -> None:
        """Have the client pause, while the upstream does not read."""
        if self._client is not None:
            if has_room:
                self._client.resume_reading()
            else:
                self._client.pause_reading()

    def switched_bytes(self, data: bytes) -> None:
        """Pass bytes on to the client."""
        if self._client is not None:
            self._client.pass_on(data)
        else:
            self._early += data

    def exchange_switched(self, connection: Connection, early: bytes) -> None:
        """It has switched already."""

    def upstream_over(self, *, by_reset: bool) -> None:
        """The upstream's connection has ended."""
        self._connection = None
        client, self._client = self._client, None
        if client is not None:
            client.upstream_left(by_reset=by_reset)
