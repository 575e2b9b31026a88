"""Three uploads at once on a reactor, over sockets with small buffers."""

import selectors
import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
BODY = b"*" * 500_000
REQUEST = (
    f"POST /status/200?_delay=1s HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n"
    f"Content-Length: {len(BODY)}\r\nConnection: close\r\n\r\n"
).encode() + BODY

sockets = selectors.DefaultSelector()


def run() -> None:
    """Call what is ready, until nothing is left or happens for two seconds."""
    while sockets.get_map() and (ready := sockets.select(2.0)):
        for key, _ in ready:
            key.data()


class Upload:
    """One POST and its answer."""

    def __init__(self) -> None:
        self.answer = b""
        self.connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.connection.setblocking(False)
        self.connection.connect_ex((HOST, PORT))
        sockets.register(self.connection, selectors.EVENT_WRITE, self.send)

    def send(self) -> None:
        self.connection.setblocking(True)
        self.connection.sendall(REQUEST)
        sockets.modify(self.connection, selectors.EVENT_READ, self.receive)

    def receive(self) -> None:
        if piece := self.connection.recv(4096):
            self.answer += piece
            return
        status_line, *_ = self.answer.decode().splitlines()
        print(f"fileno:{self.connection.fileno()}  {status_line}")
        sockets.unregister(self.connection)
        self.connection.close()


for _ in range(3):
    Upload()
run()
