"""What an exchange and an upstream have to say to each other."""

from __future__ import annotations

from typing import Protocol

from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.request import Request
from nbtwisted.server.model.upstream import Upstream, UpstreamAnswer

__all__ = ["AskedUpstream", "Asking", "Client", "Listener", "Tunnel"]


class AskedUpstream(Upstream, Protocol):
    """An upstream to which requests can be passed on."""

    def ask(self, request: Request, listener: Listener) -> Asking:
        """Pass a request on; `listener` may be told before this returns."""


class Tunnel(Protocol):
    """Bytes of another protocol, to and from an upstream that has switched to it."""

    def start(self, client: Client) -> None:
        """Begin to pass bytes to the client."""

    def received(self, data: bytes) -> None:
        """Bytes came from the client."""

    def pause(self) -> None:
        """The client does not read."""

    def resume(self) -> None:
        """The client has read."""

    def client_left(self) -> None:
        """The client's connection has ended."""


class Client(Protocol):
    """The client's end of a tunnel."""

    def pass_on(self, data: bytes) -> None:
        """Send bytes."""

    def upstream_left(self, *, by_reset: bool) -> None:
        """The upstream's connection has ended."""

    def pause_reading(self) -> None:
        """Read nothing, because the upstream does not."""

    def resume_reading(self) -> None:
        """Read on."""


class Listener(Protocol):
    """Whoever is told of an answer. One of the last three ends the asking."""

    def interim(self, head: bytes) -> None:
        """An interim answer has come, before the answer."""

    def answered(self, answer: UpstreamAnswer) -> None:
        """The head has come. Its body may still arrive."""

    def switched(self, answer: UpstreamAnswer, tunnel: Tunnel) -> None:
        """The upstream speaks another protocol from now on."""

    def unanswered(self, error: str, behaviour: Behaviour) -> None:
        """There is no answer: why not, and what is answered in its place."""


class Asking(Protocol):
    """One request to the upstream."""

    def stop(self) -> None:
        """Nobody waits for it any more: tell nobody, and let go of the connection."""
