"""Five GETs at once, on a machine that has other work to do."""

import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET /?_delay=1500ms HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()


def send_request() -> socket.socket:
    """Connect, send one GET, and return its socket, which will not wait."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.connect((HOST, PORT))
    connection.sendall(REQUEST)
    return connection


answers = {send_request(): b"" for _ in range(5)}
while answers:
    for connection in list(answers):
        try:
            piece = connection.recv(4096)
        except BlockingIOError:
            continue
        answers[connection] += piece
        if not piece:
            answer = answers.pop(connection).decode()
            print(f"fileno:{connection.fileno()}  {answer.splitlines()[-1]}")
            connection.close()
