"""The whole server: the routes of all modules, and their resource."""

from __future__ import annotations

from nbtwisted.server.http1.twisted_web import DelayResource
from nbtwisted.server.http1.watch import Watch

# To import modules of routes is to add their paths.
from nbtwisted.server.routes import admin, basic, httpbin, live, rules  # noqa: F401
from nbtwisted.server.routes.router import Server, app

__all__ = ["DelayServer"]


class DelayServer(Server):
    """A server with all routes; its parameters are those of `Server`."""

    app = app

    def resource(self) -> DelayResource:
        """The server as twisted.web wants it."""
        return DelayResource(self, Watch(self.in_flight.clock))
