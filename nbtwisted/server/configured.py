"""The app as the environment sets it, for `twistd web --class`."""

from __future__ import annotations

import signal
import sys

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger

from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.options import read_options
from nbtwisted.server.service.errors import CannotServe
from nbtwisted.server.serving import Serving

__all__ = ["app", "resource"]

_logger = Logger(namespace="nbtwisted")


def _say(text: str) -> None:
    _logger.warn("{text}", text=text)


_options = read_options([])
try:
    _serving = Serving(_options, reactor, _say)
    if _options.fault_port:
        _serving.open_fault_ports(DelaySite(_serving.server, IReactorTime(reactor)))
except CannotServe as error:
    sys.exit(f"nbtwisted: error: {error}")

for _where in _serving.fault_ports():
    _say(_where)

if _serving.rules_file is not None:
    _read_again = _serving.rules_file.read_again
    _in_turn = IReactorFromThreads(reactor).callFromThread
    signal.signal(signal.SIGHUP, lambda number, frame: _in_turn(_read_again))

app = _serving.server.app
resource = _serving.server.resource
