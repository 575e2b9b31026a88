"""Five large answers at once, with epoll in its edge-triggered mode."""

import select
import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET /?_size=8000000&_delay=300ms HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n"
    "Connection: close\r\n\r\n"
).encode()


def send_request() -> socket.socket:
    """Send one GET, and return its socket, which does not wait any more."""
    connection = socket.create_connection((HOST, PORT))
    connection.sendall(REQUEST)
    connection.setblocking(False)
    return connection


def read_all(fileno: int) -> None:
    """Read until nothing is left: epoll does not tell of it a second time."""
    while True:
        try:
            piece = connections[fileno].recv(4096)
        except BlockingIOError:
            return
        if not piece:
            print(f"fileno:{fileno}  {received[fileno]} bytes")
            connections.pop(fileno).close()
            return
        received[fileno] += len(piece)


epoll = select.epoll()
connections = {}
received = {}
for _ in range(5):
    connection = send_request()
    connections[connection.fileno()] = connection
    received[connection.fileno()] = 0
    epoll.register(connection, select.EPOLLIN | select.EPOLLET)
# When nothing happens for two seconds, give up.
while connections and (events := epoll.poll(2.0)):
    for fileno, _ in events:
        read_all(fileno)
for fileno in connections:
    print(f"fileno:{fileno}  given up after {received[fileno]} bytes")
