"""`get_all_many.py URL NUMBER CONCURRENCY`: the same by `nbtwisted.client.get_all`."""

import sys
from typing import Any

from nbtwisted.reactor.choosing import choose

choose([])

from twisted.internet.task import react

from nbtwisted.client import get_all


async def main(reactor: Any, url: str, number: str, concurrency: str) -> None:
    """Print how many were answered."""
    urls = [url] * int(number)
    found = await get_all(
        urls, reactor=reactor, concurrency=int(concurrency), max_time=60
    )
    print(sum(ok for ok, _ in found))


react(main, sys.argv[1:])
