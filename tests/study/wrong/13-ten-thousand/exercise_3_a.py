import asyncio
import sys

SERVER = ("127.0.0.1", int(sys.argv[1]))
REQUEST = (
    b"GET /?_delay=50ms&_size=300000 HTTP/1.1\r\n"
    b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n"
)
JOBS = 300


async def get() -> bytes:
    reader, writer = await asyncio.open_connection(*SERVER)
    writer.write(REQUEST)
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


async def main() -> None:
    total = 0
    # One after another: nothing piles up.
    for _ in range(JOBS):
        total += len(await get())
    print(f"bytes: {total:,}")


asyncio.run(main())
