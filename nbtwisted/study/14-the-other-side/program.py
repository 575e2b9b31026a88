"""Two servers under the same load: forty threads that sleep, and timers.

The first is in this file. The second is the delay server, on the given port.
"""

import asyncio
import random
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HOW_MANY = 200
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def answer(connection: socket.socket) -> None:
    with connection:
        connection.recv(4096)
        seconds = random.randint(1, 3)
        time.sleep(seconds)  # This thread is of no use to anybody meanwhile.
        body = f'["wait time: {seconds}sec"]'
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n{body}".encode())


def serve(listener: socket.socket) -> None:
    with ThreadPoolExecutor(40) as pool:
        while True:
            connection, _ = listener.accept()
            pool.submit(answer, connection)  # It queues while all forty sleep.


async def get(port: int) -> float:
    """Send one GET, and return how many seconds its answer took."""
    start = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    await reader.read()
    writer.close()
    return time.monotonic() - start


async def measure(name: str, port: int) -> None:
    """Send all requests at once, and print how long the answers took."""
    waits = sorted(await asyncio.gather(*[get(port) for _ in range(HOW_MANY)]))
    print(f"{name}: {waits[-1]:.1f} s")
    print(f"half with {name}: {waits[HOW_MANY // 2]:.1f} s")


listener = socket.create_server(("127.0.0.1", 0), backlog=HOW_MANY)
threading.Thread(target=serve, args=(listener,), daemon=True).start()
asyncio.run(measure("forty threads", listener.getsockname()[1]))
asyncio.run(measure("timers", int(sys.argv[1])))
