"""`treq_many.py URL NUMBER`: so many GETs at once, one connection each."""

import sys
from typing import Any

import treq
from twisted.internet.defer import DeferredList
from twisted.internet.task import react
from twisted.web.client import HTTPConnectionPool


def main(reactor: Any, url: str, number: str) -> Any:
    """Print how many were answered."""
    pool = HTTPConnectionPool(reactor, persistent=False)
    client = treq.client.HTTPClient(treq.api.Agent(reactor, pool=pool))
    asked = [client.get(url).addCallback(treq.content) for _ in range(int(number))]
    return DeferredList(asked, consumeErrors=True).addCallback(
        lambda found: print(sum(ok for ok, _ in found))
    )


react(main, sys.argv[1:])
