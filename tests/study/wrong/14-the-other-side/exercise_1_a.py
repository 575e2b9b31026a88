from __future__ import annotations

import sys
from http.client import HTTPConnection
from typing import Any

from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import react
from twisted.internet.threads import deferToThread
from twisted.web.server import Site

from nbtwisted.client import get

DELAY_SERVER = ("127.0.0.1", int(sys.argv[1]))
app = Klein()


def ask_delay_server() -> bytes:
    connection = HTTPConnection(*DELAY_SERVER)
    connection.request("GET", "/?_delay=300ms")
    answer = connection.getresponse().read()
    connection.close()
    return answer


@app.route("/")
def gateway(request: Any) -> Deferred[bytes]:
    return deferToThread(ask_delay_server)


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
