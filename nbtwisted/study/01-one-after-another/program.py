"""Send five GETs one after another, each over a socket of its own."""

import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    "GET / HTTP/1.1\r\n"  # the method, the path, the version of HTTP
    f"Host: {HOST}:{PORT}\r\n"  # the server's name
    "Connection: close\r\n"  # to be closed when the answer has been sent
    "\r\n"  # an empty line ends the request
).encode()


def get() -> None:
    """Send one GET, wait for its answer, and print it."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.connect((HOST, PORT))
    connection.sendall(REQUEST)
    answer = b""
    # recv waits for bytes. It gives b"" when the server has closed.
    while piece := connection.recv(4096):
        answer += piece
    print_answer(connection.fileno(), answer)
    connection.close()


def print_answer(fileno: int, answer: bytes) -> None:
    """Print the socket's number, and an answer's first and last line."""
    status_line, *_, body = answer.decode().split("\r\n")
    print(f"fileno:{fileno}  {status_line}  {body}")


for _ in range(5):
    get()
