"""A Klein app that has the figures of its reactor, for Prometheus, at /metrics.

It sends itself a request that blocks, and prints what came of that.
"""

import time
from typing import Any

from klein import Klein
from prometheus_client import REGISTRY, generate_latest
from twisted.internet import reactor
from twisted.web.client import Agent
from twisted.web.server import Site

from nbtwisted.reactor import metrics

app = Klein()
REGISTRY.register(metrics(reactor))


@app.route("/metrics")
def figures(request: Any) -> bytes:
    """All that this process counts."""
    request.setHeader("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
    return generate_latest()


@app.route("/")
def slow(request: Any) -> bytes:
    """Block, which the figures show."""
    time.sleep(0.2)
    return b"slow"


def show(answer: object) -> None:
    """Print the reactor's, but for the buckets of its histograms."""
    for line in generate_latest().decode().splitlines():
        if line.startswith("reactor_") and "_bucket" not in line:
            print(line)
    reactor.stop()


site: Any = Site(app.resource())
address: Any = reactor.listenTCP(0, site, interface="127.0.0.1").getHost()
url = f"http://127.0.0.1:{address.port}/".encode()
Agent(reactor).request(b"GET", url).addBoth(show)
reactor.run()
