"""Whatever decides for the requests of a port, as connections see it."""

from __future__ import annotations

from typing import Protocol

from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.request import Request

__all__ = ["App"]


class App(Protocol):
    """Decides how requests are answered."""

    @property
    def passes_bodies_on(self) -> bool:
        """Whether a request is decided before all of its body has come.

        It then has the rest as `incoming`, and there is no limit to its size.
        """

    def decide(self, request: Request) -> Behaviour:
        """The behaviour with which a request is answered, whatever it is."""

    def reading_rate(self, request: Request) -> float | None:
        """Bytes a second at which a request's body is to be read; None for no limit.

        This is asked when the head has come, and the request has no body yet.
        """

    def is_for_operators(self, path: bytes) -> bool:
        """Whether requests for a path are let in whatever happens, and in no journal.

        The path may be quoted.
        """

    def headers_for(self, request: Request) -> HeaderLines:
        """The headers for browsers of a response that is not for operators."""
