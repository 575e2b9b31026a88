"""Send five GETs with await."""

import sys
from http.client import HTTPConnection
from typing import Any

from twisted.internet.defer import DeferredList
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

PORT = int(sys.argv[1])


def get() -> None:
    connection = HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", "/?_delay=400ms", headers={"Connection": "close"})
    print(connection.getresponse().read().decode())
    connection.close()


async def main(reactor: Any) -> None:
    await DeferredList([deferToThread(get) for _ in range(5)])


react(main)
