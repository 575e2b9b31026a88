from __future__ import annotations

import sys
from typing import Any

from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater, react
from twisted.web.server import Site

from nbtwisted.client import get

DELAY_SERVER = ("127.0.0.1", int(sys.argv[1]))
app = Klein()


@app.route("/")
def gateway(request: Any) -> Deferred[bytes]:
    # The delay server takes 0.3 s, so this does as well.
    return deferLater(reactor, 0.3, lambda: b'["wait time: 0.3sec"]')


async def ask(url: str) -> None:
    response = await get(url, reactor=reactor)
    print(response.body.decode())


async def main(reactor: Any) -> None:
    site: Any = Site(app.resource())
    listening = reactor.listenTCP(0, site, interface="127.0.0.1")
    url = f"http://127.0.0.1:{listening.getHost().port}/"
    await DeferredList([Deferred.fromCoroutine(ask(url)) for _ in range(15)])
    await listening.stopListening()


react(main)
