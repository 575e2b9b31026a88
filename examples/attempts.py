"""Get a URL that is not answered at once, and see each attempt."""

import sys
from typing import Any

from twisted.internet.task import react

from nbtwisted.client import Retries, get


async def main(reactor: Any, url: str) -> None:
    """Print how each attempt ended, and why there was another."""
    retries = Retries(3, delay=0.1)
    response = await get(url, reactor=reactor, max_redirects=5, retries=retries)
    for attempt in response.result.attempts:
        print(attempt.status or attempt.error, attempt.url, attempt.then)
    print(response.status, "in the end, after", response.result.tries, "tries")


react(main, sys.argv[1:])
