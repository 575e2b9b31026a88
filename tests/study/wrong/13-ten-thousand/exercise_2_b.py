import asyncio
import socket
import sys

SERVER = ("127.0.0.1", int(sys.argv[1]))
REQUEST = b"GET /?_delay=300ms HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
JOBS = 100


async def get() -> bytes:
    # No thread any more, but it blocks the loop.
    with socket.create_connection(SERVER) as connection:
        connection.sendall(REQUEST)
        return connection.makefile("rb").read()


async def main() -> None:
    answers = await asyncio.gather(*[get() for _ in range(JOBS)])
    print(f"answers: {len(answers)}")


asyncio.run(main())
