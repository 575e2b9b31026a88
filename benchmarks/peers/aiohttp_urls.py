"""`aiohttp_urls.py FILE CONNECTIONS`: gets the URLs in a file, and reads the bodies.

One session on uvloop, connections kept alive; nothing of an answer is written.
"""

import asyncio
import sys
from pathlib import Path

import aiohttp
import uvloop


async def main(path: str, connections: int) -> None:
    """Print how many were answered by a 200."""
    urls = iter(Path(path).read_text().splitlines())
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> int:
            answered = 0
            for url in urls:
                async with session.get(url) as answer:
                    await answer.read()
                    answered += answer.status == 200
            return answered

        print(sum(await asyncio.gather(*(work() for _ in range(connections)))))


uvloop.run(main(sys.argv[1], int(sys.argv[2])))
