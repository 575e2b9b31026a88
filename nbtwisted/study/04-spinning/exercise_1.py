"""Five GETs over sockets that never wait."""

import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET /?_delay=400ms HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()


def send_request() -> socket.socket:
    """Connect, send one GET, and return its socket, which will not wait."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.connect((HOST, PORT))
    connection.sendall(REQUEST)
    connection.setblocking(False)
    return connection


def get() -> None:
    """Send one GET, and print its answer."""
    connection = send_request()
    answer = b""
    while True:
        try:
            piece = connection.recv(4096)
        except BlockingIOError:
            continue
        if not piece:
            break
        answer += piece
    print(f"fileno:{connection.fileno()}  {answer.decode().splitlines()[-1]}")
    connection.close()


for _ in range(5):
    get()
