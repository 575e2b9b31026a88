"""Send five GETs at once over sockets that do not wait; ask each in turn."""

import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"


def send_request() -> socket.socket:
    """Connect, send one GET, and return its socket, which will not wait."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.connect((HOST, PORT))
    connection.sendall(REQUEST.encode())
    connection.setblocking(False)
    return connection


def print_answer(fileno: int, answer: bytes) -> None:
    """Print the socket's number, and an answer's first line and body."""
    head, _, body = answer.decode().partition("\r\n\r\n")
    status_line, _, _ = head.partition("\r\n")
    print(f"fileno:{fileno}  {status_line}  {body}")


answers = {send_request(): b"" for _ in range(5)}
asked = 0
while answers:
    for connection in list(answers):
        asked += 1
        try:
            piece = connection.recv(4096)
        except BlockingIOError:  # EAGAIN: nothing yet, so ask the next one
            continue
        answers[connection] += piece
        if not piece:  # the server has closed: the answer is whole
            print_answer(connection.fileno(), answers.pop(connection))
            connection.close()
print(f"asked: {asked:,}")
