"""Send five GETs: first all calls, then all answers."""

import asyncio
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET /?_delay=400ms HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()


async def get() -> str:
    """Send one GET, wait for its answer, and return what there is to print of it."""
    reader, writer = await asyncio.open_connection(HOST, PORT)
    try:
        fileno = writer.get_extra_info("socket").fileno()
        writer.write(REQUEST)
        answer = await reader.read()
    finally:
        writer.close()
    lines = answer.decode().splitlines() or ["no answer"]
    return f"fileno:{fileno}  {lines[0]}  {lines[-1]}"


async def main() -> None:
    gets = [asyncio.create_task(get()) for _ in range(5)]
    for one in gets:
        print(await one)


asyncio.run(main())
