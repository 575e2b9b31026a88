from __future__ import annotations

import sys
from typing import Any

from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import react
from twisted.web.server import Site

from nbtwisted.client import get

DELAY_SERVER = f"http://127.0.0.1:{sys.argv[1]}/?_delay=300ms"
app = Klein()


@app.route("/")
async def gateway(request: Any) -> bytes:
    response = await get(DELAY_SERVER, reactor=reactor)
    return response.body


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
