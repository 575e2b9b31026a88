"""Five GETs whose answers come in pieces."""

import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    "GET /?_delay=200ms&_drip=600ms/4 HTTP/1.1\r\n"
    f"Host: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()


def send_request() -> socket.socket:
    """Connect, send one GET, and return its socket, which will not wait."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.connect((HOST, PORT))
    connection.sendall(REQUEST)
    connection.setblocking(False)
    return connection


def receive(connection: socket.socket) -> bytes:
    """Return the bytes that have come."""
    try:
        return connection.recv(4096)
    except BlockingIOError:
        return b""


answers = {send_request(): b"" for _ in range(5)}
while answers:
    for connection in list(answers):
        piece = receive(connection)
        answers[connection] += piece
        if not piece:
            answer = answers.pop(connection)
            print(f"fileno:{connection.fileno()}  {len(answer)} bytes")
            connection.close()
