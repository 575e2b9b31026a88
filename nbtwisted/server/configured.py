"""The app as the environment sets it, for `twistd web --class`."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorTime

from nbtwisted.server.options import read_options
from nbtwisted.server.routes import DelayServer

__all__ = ["app", "resource"]

_server = DelayServer(clock=IReactorTime(reactor), max_delay=read_options([]).max_delay)
app = _server.app
resource = _server.resource
