"""A Klein app whose thread writes to a request, and which sends itself one.

`nbtwisted trace examples/from_a_thread.py` says where.
"""

from typing import Any

from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.web.client import Agent
from twisted.web.server import Site

app = Klein()


def write_report(request: Any) -> None:
    """Make a report; it runs in a thread of the pool."""
    for part in (b"one ", b"two ", b"three"):
        request.write(part)  # Only the reactor's own thread may do this.


@app.route("/")
async def report(request: Any) -> None:
    """Have a thread answer."""
    await deferToThread(write_report, request)


async def ask(url: bytes) -> None:
    """Send a request, print the status of its answer, and stop."""
    response = await Agent(reactor).request(b"GET", url)
    print(response.code)
    reactor.stop()


site: Any = Site(app.resource())
address: Any = reactor.listenTCP(0, site, interface="127.0.0.1").getHost()
reactor.callWhenRunning(
    lambda: Deferred.fromCoroutine(ask(f"http://127.0.0.1:{address.port}/".encode()))
)
reactor.run()
