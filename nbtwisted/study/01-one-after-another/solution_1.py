"""Send three GETs, one after another, and print how each answer begins."""

import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])


def get(target: str) -> bytes:
    """Send one GET, and return all of its answer."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.connect((HOST, PORT))
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {HOST}:{PORT}",
        "Connection: close",
        "",
        "",
    ]
    connection.sendall("\r\n".join(lines).encode())
    answer = b""
    while piece := connection.recv(4096):
        answer += piece
    connection.close()
    return answer


for target in "/?_delay=300ms", "/?_delay=200ms", "/?_delay=100ms":
    status_line, _, _ = get(target).decode().partition("\r\n")
    print(f"{target}: {status_line}")
