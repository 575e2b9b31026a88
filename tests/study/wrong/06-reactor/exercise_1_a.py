"""Five GETs on a reactor that also says every half second that it lives."""

import selectors
import socket
import sys
import time
from collections.abc import Callable

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    "GET /?_delay=200ms&_drip=300ms/3 HTTP/1.1\r\n"
    f"Host: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()

sockets = selectors.DefaultSelector()
timers: list[tuple[float, Callable[[], object]]] = []


def call_later(seconds: float, callback: Callable[[], object]) -> None:
    timers.append((time.monotonic() + seconds, callback))
    timers.sort(key=lambda timer: timer[0])


def run() -> None:
    """Call what is ready and what is due, until no timer is left."""
    while timers:
        time.sleep(0.05)
        for key, _ in sockets.select(max(0, timers[0][0] - time.monotonic())):
            key.data()
        while timers and timers[0][0] <= time.monotonic():
            _, callback = timers.pop(0)
            callback()


def get() -> None:
    """Send one GET; print the body when its end has come."""
    connection = socket.create_connection((HOST, PORT))
    connection.sendall(REQUEST)
    connection.setblocking(False)
    answer = b""

    def receive() -> None:
        nonlocal answer
        piece = connection.recv(4096)
        answer += piece
        if piece.endswith(b"]"):
            print(f"fileno:{connection.fileno()}  {answer.decode().splitlines()[-1]}")

    sockets.register(connection, selectors.EVENT_READ, receive)


for _ in range(5):
    get()
for beat in 1, 2, 3, 4:
    call_later(beat * 0.5, lambda: print("alive"))
run()
