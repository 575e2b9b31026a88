"""A Klein app that blocks its reactor, and sends itself the request that shows it.

`nbtwisted trace examples/blocking.py` says where.
"""

import time
from typing import Any

from klein import Klein
from twisted.internet import reactor
from twisted.web.client import Agent
from twisted.web.server import Site

app = Klein()


@app.route("/")
def slow(request: Any) -> bytes:
    """Wait, and let nobody else do anything meanwhile."""
    time.sleep(3)
    return b"slow"


site: Any = Site(app.resource())
address: Any = reactor.listenTCP(0, site, interface="127.0.0.1").getHost()
url = f"http://127.0.0.1:{address.port}/".encode()
asked = Agent(reactor).request(b"GET", url)
asked.addBoth(lambda _: reactor.stop())
reactor.run()
