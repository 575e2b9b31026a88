import asyncio
import sys
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

PORT = int(sys.argv[1])
REQUEST = b"GET /?_delay=100ms HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
JOBS = 600

# Then allow more of them.
setrlimit(RLIMIT_NOFILE, (getrlimit(RLIMIT_NOFILE)[1], getrlimit(RLIMIT_NOFILE)[1]))


async def get(writers: list[asyncio.StreamWriter]) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writers.append(writer)
    writer.write(REQUEST)
    return await reader.read()


async def main() -> None:
    places = asyncio.Semaphore(100)
    writers: list[asyncio.StreamWriter] = []

    async def get_in_turn() -> bytes:
        async with places:
            return await get(writers)

    answers = await asyncio.gather(*[get_in_turn() for _ in range(JOBS)])
    for writer in writers:
        writer.close()
    print(f"answers: {len(answers)}")


asyncio.run(main())
