"""Send three GETs, one after another, and print how long each body is."""

import socket
import sys
import time

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
# 1,000 bytes, which the server sends in four pieces, from 0.2 s to 0.6 s.
TARGET = "/?_delay=200ms&_size=1000&_drip=400ms/4"


def get(target: str) -> bytes:
    """Send one GET, and return the body of its answer."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.connect((HOST, PORT))
    head = f"GET {target} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n"
    connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
    time.sleep(1)
    answer = connection.recv(4096)
    connection.close()
    _, _, body = answer.partition(b"\r\n\r\n")
    return body


for _ in range(3):
    print(f"{len(get(TARGET))} bytes")
