"""`aiohttp_load.py URL SECONDS CONNECTIONS`: a closed loop, by aiohttp's client."""

import asyncio
import sys
import time

import aiohttp


async def main(url: str, seconds: float, connections: int) -> None:
    """Print how many were answered."""
    answered = 0
    ends = time.monotonic() + seconds
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            nonlocal answered
            while time.monotonic() < ends:
                async with session.get(url) as answer:
                    await answer.read()
                answered += 1

        await asyncio.gather(*(work() for _ in range(connections)))
    print(answered)


asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
