"""Get 200,000 bytes in each of two processes, and pass them on by pipes."""

import http.client
import os
import sys

PORT = int(sys.argv[1])


def get() -> bytes:
    """Send one GET, and return the body of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", "/bytes/200000?_delay=300ms")
    body = connection.getresponse().read()
    connection.close()
    return body


def start() -> tuple[int, int]:
    """Start a process that writes a body into a pipe; return both."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        with open(write_end, "wb") as pipe:
            pipe.write(get()[:65536])
        os._exit(0)
    os.close(write_end)
    return pid, read_end


for pid, read_end in [start() for _ in range(2)]:
    os.waitpid(pid, 0)
    with open(read_end, "rb") as pipe:
        print(f"{len(pipe.read())} bytes")
