"""`aiohttp_many.py URL NUMBER`: so many GETs at once, one connection each."""

import asyncio
import sys

import aiohttp


async def main(url: str, number: int) -> None:
    """Print how many were answered."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one() -> bytes:
            async with session.get(url) as answer:
                return await answer.read()

        found = await asyncio.gather(
            *(one() for _ in range(number)), return_exceptions=True
        )
    print(sum(isinstance(each, bytes) for each in found))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
