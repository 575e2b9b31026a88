"""The apps of the server's ports: all that there is, or what operators ask for."""

from __future__ import annotations

from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.browsers import headers_for, is_for_operators
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.router import (
    Server,
    decide,
    decide_for_operators,
    reading_rate,
)

__all__ = ["DelayApp", "OperatorsApp"]


class DelayApp:
    """Answers by the routes and the rules of `server`."""

    passes_bodies_on = False

    def __init__(self, server: Server) -> None:
        self.server = server

    def decide(self, request: Request) -> Behaviour:
        """As every app's."""
        return decide(self.server, request)

    def reading_rate(self, request: Request) -> float | None:
        """As every app's."""
        return reading_rate(self.server, request)

    def is_for_operators(self, path: bytes) -> bool:
        """As every app's."""
        return is_for_operators(path)

    def headers_for(self, request: Request) -> HeaderLines:
        """As every app's."""
        return headers_for(request.method, request.headers)


class OperatorsApp(DelayApp):
    """Answers operators, and nobody else: for a port of their own."""

    def decide(self, request: Request) -> Behaviour:
        """As every app's."""
        return decide_for_operators(self.server, request)

    def reading_rate(self, request: Request) -> float | None:
        """As every app's."""
        return None

    def is_for_operators(self, path: bytes) -> bool:
        """All requests are: they are in no journal."""
        return True
