"""Send four GETs, one after another. The second is never answered."""

import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
TARGETS = (
    "/?_delay=300ms",
    "/?_delay=200ms",
    "/?_delay=100ms",
)


def get(target: str) -> bytes:
    """Send one GET, and return all of its answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.connect((HOST, PORT))
        head = f"GET {target} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        return answer


for target in TARGETS:
    status_line, _, _ = get(target).decode().partition("\r\n")
    print(f"{target}: {status_line}")
