"""The app as the environment sets it, for `twistd web --class`."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorTime

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.options import read_options

__all__ = ["app", "resource"]

_options = read_options([])
_server = DelayServer(
    clock=IReactorTime(reactor), max_delay=_options.max_delay, seed=_options.seed
)
app = _server.app
resource = _server.resource
