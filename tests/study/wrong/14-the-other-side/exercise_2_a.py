from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from nbtwisted.client import Response, get

DELAY_SERVER = f"http://127.0.0.1:{sys.argv[1]}/?_delay=1500ms"


class Gateway(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> int:
        # Nobody waits for longer than 0.3 s.
        asking = get(DELAY_SERVER, reactor=reactor, max_time=0.3)
        asking.addCallback(self.answer, request)
        return NOT_DONE_YET

    def answer(self, response: Response, request: Any) -> None:
        # A client that has left has no channel any more.
        if request.channel is not None:
            request.write(response.body)
            request.finish()


async def ask(url: str, patience: float) -> None:
    try:
        response = await get(url, reactor=reactor, max_time=patience)
        print(response.body.decode())
    except Exception as error:
        print(error)


async def main(reactor: Any) -> None:
    gateway: Any = Gateway
    listening = reactor.listenTCP(0, Site(gateway()), interface="127.0.0.1")
    url = f"http://127.0.0.1:{listening.getHost().port}/"
    # Nine leave early, and one stays.
    clients = [ask(url, patience) for patience in [0.3] * 9 + [10.0]]
    await DeferredList([Deferred.fromCoroutine(client) for client in clients])
    await listening.stopListening()


react(main)
