"""A reactor of our own: it calls five GETs when they need not wait."""

import socket
import sys
import time
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"

sockets = DefaultSelector()  # epoll, with a callback for each
timers: list[tuple[float, Callable[[], object]]] = []


def call_later(seconds: float, callback: Callable[[], object]) -> None:
    timers.append((time.monotonic() + seconds, callback))
    timers.sort(key=lambda timer: timer[0])  # the next one is first


def run() -> None:
    """Call what is ready and what is due, until nothing is left."""
    while sockets.get_map() or timers:
        timeout = max(0, timers[0][0] - time.monotonic()) if timers else None
        for key, _ in sockets.select(timeout):  # sleeps here, and only here
            key.data()
        while timers and timers[0][0] <= time.monotonic():
            _, callback = timers.pop(0)
            callback()


class Get:
    """One request and its answer; no method of it waits."""

    def __init__(self) -> None:
        self.unsent, self.answer = REQUEST.encode(), b""
        self.connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.connection.setblocking(False)
        self.connection.connect_ex((HOST, PORT))  # EINPROGRESS, as before
        sockets.register(self.connection, EVENT_WRITE, self.send)

    def send(self) -> None:
        self.unsent = self.unsent[self.connection.send(self.unsent) :]
        if not self.unsent:
            sockets.modify(self.connection, EVENT_READ, self.receive)

    def receive(self) -> None:
        if piece := self.connection.recv(4096):
            self.answer += piece
            return
        status_line, *_, body = self.answer.decode().splitlines()
        print(f"fileno:{self.connection.fileno()}  {status_line}  {body}")
        sockets.unregister(self.connection)
        self.connection.close()


for number in range(5):
    call_later(number * 0.1, Get)
run()
