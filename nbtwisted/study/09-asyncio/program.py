"""Send five GETs at once on asyncio, the standard library's event loop."""

import asyncio
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
SECONDS = 10.0  # for all of a GET


async def get() -> str:
    """Send one GET, wait for its answer, and return what to print of it."""
    reader, writer = await asyncio.open_connection(HOST, PORT)
    try:
        fileno = writer.get_extra_info("socket").fileno()
        writer.write(REQUEST.encode())
        answer = await reader.read()  # until the server closes the connection
    finally:
        writer.close()  # hangs up, also when cancelled
    lines = answer.decode().splitlines() or ["no answer"]
    return f"fileno:{fileno}  {lines[0]}  {lines[-1]}"


async def get_in_time() -> None:
    try:
        print(await asyncio.wait_for(get(), SECONDS))
    except Exception as error:
        print(repr(error))


async def main() -> None:
    gets = [get_in_time() for _ in range(5)]  # none of them has begun
    await asyncio.gather(*gets)  # begins them all, and waits for them


asyncio.run(main())
