"""Toxiproxy's API, and an upstream that obeys: what `benchmarks.toxics` asks.

Prints the two ports as JSON, and ends with its standard input.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main(seed: int) -> None:
    """Serve until standard input ends."""
    from twisted.application.reactors import installReactor

    installReactor("eager")
    from twisted.internet import reactor  # noqa: TID251 - as a program may
    from twisted.internet.protocol import Protocol, connectionDone
    from twisted.internet.stdio import StandardIO

    from nbtwisted.proxy.toxiproxy.api import ToxiproxyAPI
    from nbtwisted.reactor.timers import run_on_steady_clock
    from tests.proxy.toxiproxy.upstream import ObeyingFactory

    net: Any = reactor
    run_on_steady_clock(net)
    api = ToxiproxyAPI(net, seed=seed)
    ports = [
        net.listenTCP(0, factory, interface="127.0.0.1", backlog=1024)
        for factory in (api.site(), ObeyingFactory())
    ]

    class Ending(Protocol):
        def connectionLost(self, reason: object = connectionDone) -> None:
            net.stop()

    StandardIO(Ending(), reactor=net)
    net.addSystemEventTrigger("before", "shutdown", api.stop)
    print(json.dumps([port.getHost().port for port in ports]), flush=True)
    net.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
