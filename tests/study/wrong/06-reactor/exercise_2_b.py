"""Three GETs on a reactor, one every half second."""

import selectors
import socket
import sys
import time
from collections.abc import Callable

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET /?_delay=100ms HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()

sockets = selectors.DefaultSelector()
timers: list[tuple[float, Callable[[], object]]] = []


def call_later(seconds: float, callback: Callable[[], object]) -> None:
    timers.append((time.monotonic() + seconds, callback))
    timers.sort(key=lambda timer: timer[0])


def run() -> None:
    """Call what is ready and what is due, until nothing is left."""
    while sockets.get_map() or timers:
        for key, _ in sockets.select(0.05):
            key.data()
        while timers and timers[0][0] <= time.monotonic():
            _, callback = timers.pop(0)
            callback()


def get() -> None:
    """Send one GET; print the answer's last line when it has come."""
    connection = socket.create_connection((HOST, PORT))
    connection.sendall(REQUEST)
    connection.setblocking(False)

    def receive() -> None:
        if piece := connection.recv(4096):
            print(f"fileno:{connection.fileno()}  {piece.decode().splitlines()[-1]}")
        else:
            sockets.unregister(connection)
            connection.close()

    sockets.register(connection, selectors.EVENT_READ, receive)


get()
call_later(0.5, get)
call_later(1.0, get)
run()
