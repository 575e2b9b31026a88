"""Shows the weather: `python weather.py http://127.0.0.1:8000 Lima London …`."""

import asyncio
import sys

import aiohttp

UNITS = {"units": "C"}


async def weather(session: aiohttp.ClientSession, city: str) -> str:
    """The weather of a city, or why it is not known."""
    for _ in range(3):
        try:
            async with session.get(
                f"/v1/weather/{city}", params={"units": "C"}
            ) as answer:
                if answer.status == 429:
                    await asyncio.sleep(float(answer.headers["Retry-After"]))
                    continue
                answer.raise_for_status()
                now = await answer.json()
                return f"{now['temperature']} °C"
        except asyncio.TimeoutError:
            return "no answer in time"
        except aiohttp.ClientError as error:
            return type(error).__name__
    return "too many requests"


async def main(base: str, *cities: str) -> None:
    """Ask for all cities at once."""
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(base, timeout=timeout) as session:
        found = await asyncio.gather(*(weather(session, city) for city in cities))
    for city, text in zip(cities, found, strict=True):
        print(f"{city}: {text}")


asyncio.run(main(*sys.argv[1:]))
