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


def get_all(number: int) -> None:
    """Send so many GETs, and print each answer when it is there."""
    answers = {send_request(): b"" for _ in range(number)}
    while answers:
        for connection in list(answers):
            try:
                piece = connection.recv(4096)
            except BlockingIOError:
                continue  # with the next socket
            answers[connection] += piece
            if not piece:
                answer = answers.pop(connection).decode()
                print(f"fileno:{connection.fileno()}  {answer.splitlines()[-1]}")
                connection.close()


get_all(5)
