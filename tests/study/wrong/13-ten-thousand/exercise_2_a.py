import asyncio
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

SERVER = ("127.0.0.1", int(sys.argv[1]))
REQUEST = b"GET /?_delay=300ms HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
JOBS = 100


def get() -> bytes:
    with socket.create_connection(SERVER) as connection:
        connection.sendall(REQUEST)
        return connection.makefile("rb").read()


async def main() -> None:
    # A thread for each.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(JOBS))
    answers = await asyncio.gather(*[asyncio.to_thread(get) for _ in range(JOBS)])
    print(f"answers: {len(answers)}")


asyncio.run(main())
