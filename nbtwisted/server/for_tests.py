"""A process of servers for tests, one for each test that asks: told what by stdin.

Each line on stdin is a JSON object, and is answered by a line on stdout:

    {"open": {"seed": 7, "max_delay": 300.0}}    {"port": 40001}
    {"close": 40001}                             {"closed": 40001}

Whoever started the process ends it by closing its stdin.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver

from nbtwisted.command_line import raise_open_files
from nbtwisted.memory import leave_startup_to_itself
from nbtwisted.reactor.timers import run_on_steady_clock
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.site import CappedSite
from nbtwisted.server.wire import WireSite

JOURNAL_SIZE = 10_000
"""A test may want to look at more requests than an operator."""

BACKLOG = 1024


class _Dispenser(LineOnlyReceiver):
    """Opens and closes servers on `reactor`, each on a port of its own."""

    delimiter = b"\n"

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._open: dict[int, tuple[Any, CappedSite]] = {}

    def lineReceived(self, line: bytes) -> None:
        """Do as told."""
        told = json.loads(line)
        if "open" in told:
            self._say({"port": self._new(**told["open"])})
        else:
            self._end(told["close"])
            self._say({"closed": told["close"]})

    def connectionLost(self, reason: Any = None) -> None:
        """Whoever told us what to do is gone."""
        if self._reactor.running:
            self._reactor.stop()

    def _new(self, **settings: Any) -> int:
        server = DelayServer(
            clock=IReactorTime(self._reactor), journal_size=JOURNAL_SIZE, **settings
        )
        site = WireSite(server, self._reactor)
        factory: Any = site
        listening: Any = IReactorTCP(self._reactor).listenTCP(
            0, factory, BACKLOG, interface="127.0.0.1"
        )
        port: int = listening.getHost().port
        self._open[port] = (listening, site)
        return port

    def _end(self, port: int) -> None:
        listening, site = self._open.pop(port)
        listening.stopListening()
        site.abort_connections()

    def _say(self, value: Any) -> None:
        self.sendLine(json.dumps(value).encode())  # type: ignore[no-untyped-call]


def main() -> None:
    """Run until stdin is closed."""
    raise_open_files()
    leave_startup_to_itself()
    run_on_steady_clock(reactor)
    StandardIO(_Dispenser(reactor))
    reactor.run()


if __name__ == "__main__":
    main()
