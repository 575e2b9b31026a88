"""Ask for several URLs at once, from Python, with a deadline."""

import sys
from typing import Any

from twisted.internet.task import react

from nbtwisted.client import Response, get_all


async def main(reactor: Any, *urls: str) -> None:
    """Print how each URL was answered."""
    results = await get_all(urls, reactor=reactor, max_time=3.0)
    for url, (_, result) in zip(urls, results, strict=True):
        if isinstance(result, Response):
            print(url, result.status, f"after {result.timing.wait:.2f} s")
        else:
            print(url, result.getErrorMessage())


react(main, sys.argv[1:])
