"""Send five GETs at once, each in its own process, and compute meanwhile."""

import os
import socket
import sys
import time
from collections.abc import Callable

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET / HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n"  # as in lesson 1
    "Connection: close\r\n\r\n"
).encode()


def get() -> str:
    """Send one GET, wait for its answer, and return what to print of it."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.connect((HOST, PORT))
    connection.sendall(REQUEST)
    answer = b""
    while piece := connection.recv(4096):
        answer += piece
    status_line, *_, body = answer.decode().split("\r\n")
    return f"fileno:{connection.fileno()}  {status_line}  {body}"


def compute() -> str:
    """Keep a processor busy for some tenths of a second."""
    return str(sum(number for number in range(5_000_000)))


def start(work: Callable[[], str]) -> tuple[int, int]:
    """Start a process that writes its result into a pipe; return both."""
    read_end, write_end = os.pipe()
    if (pid := os.fork()) == 0:  # This is the child, a copy of its parent.
        os.write(write_end, work().encode())
        os._exit(0)
    os.close(write_end)  # A pipe ends when nobody can write into it.
    return pid, read_end


def result(pid: int, read_end: int) -> str:
    """Return what a process wrote, when it has ended."""
    with open(read_end) as pipe:
        written = pipe.read()
    os.waitpid(pid, 0)
    return written


waiting = [start(get) for _ in range(5)]
for count in 1, 2:
    started = time.monotonic()
    for process in [start(compute) for _ in range(count)]:
        result(*process)
    print(f"seconds for {count}: {time.monotonic() - started:.2f}")
for process in waiting:
    print(result(*process))
