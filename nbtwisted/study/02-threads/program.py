"""Send five GETs at once, each in its own thread, and compute meanwhile."""

import socket
import sys
import threading
import time

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET / HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n"  # as in lesson 1
    "Connection: close\r\n\r\n"
).encode()
printing = threading.Lock()


def get() -> None:
    """Send one GET, wait for its answer, and print it."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.connect((HOST, PORT))
    connection.sendall(REQUEST)
    answer = b""
    # recv waits for bytes. Meanwhile the other threads go on.
    while piece := connection.recv(4096):
        answer += piece
    print_answer(connection.fileno(), answer)
    connection.close()


def print_answer(fileno: int, answer: bytes) -> None:
    """Print the socket's number, and an answer's first and last line."""
    status_line, *_, body = answer.decode().split("\r\n")
    with printing:  # one thread at a time: two would mix their lines
        print(f"fileno:{fileno}  {status_line}  {body}")


def compute() -> None:
    """Keep a processor busy for some tenths of a second."""
    sum(number for number in range(5_000_000))


waiting = [threading.Thread(target=get) for _ in range(5)]
for thread in waiting:
    thread.start()
# All five wait now. Compute in one thread, and then in two at once.
for count in 1, 2:
    started = time.monotonic()
    computing = [threading.Thread(target=compute) for _ in range(count)]
    for thread in computing:
        thread.start()
    for thread in computing:
        thread.join()
    print(f"seconds for {count}: {time.monotonic() - started:.2f}")
for thread in waiting:
    thread.join()
