"""An upstream that obeys: what `benchmarks.toxics` puts behind its proxies.

Prints its port, and ends with its standard input.
"""

from __future__ import annotations

from typing import Any


def main() -> None:
    """Serve until standard input ends."""
    from twisted.application.reactors import installReactor

    installReactor("eager")
    from twisted.internet import reactor  # noqa: TID251 - as a program may
    from twisted.internet.protocol import Protocol, connectionDone
    from twisted.internet.stdio import StandardIO

    from tests.proxy.toxiproxy.upstream import ObeyingFactory

    net: Any = reactor

    class Ending(Protocol):
        def connectionLost(self, reason: object = connectionDone) -> None:
            net.stop()

    StandardIO(Ending(), reactor=net)
    port = net.listenTCP(0, ObeyingFactory(), interface="127.0.0.1", backlog=1024)
    print(port.getHost().port, flush=True)
    net.run()


if __name__ == "__main__":
    main()
