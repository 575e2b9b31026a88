import asyncio
import sys

SERVER = ("127.0.0.1", int(sys.argv[1]))
REQUEST = (
    b"GET /?_delay=50ms&_size=300000 HTTP/1.1\r\n"
    b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n"
)
JOBS = 300
AT_ONCE = 20


async def get() -> bytes:
    reader, writer = await asyncio.open_connection(*SERVER)
    writer.write(REQUEST)
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


async def main() -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def get_in_turn() -> bytes:
        async with places:
            return await get()

    # An iterator keeps nothing, does it?
    bodies = iter(await asyncio.gather(*[get_in_turn() for _ in range(JOBS)]))
    print(f"bytes: {sum(len(body) for body in bodies):,}")


asyncio.run(main())
