"""Send three GETs at once, and report how many bytes came in all."""

import http.client
import os
import sys

PORT = int(sys.argv[1])


def get(target: str) -> int:
    """Send one GET, and return how long the body of its answer is."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", target)
    body = connection.getresponse().read()
    connection.close()
    return len(body)


children = []
for delay in "500ms", "400ms", "500ms":
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write_end, str(get(f"/headers?_delay={delay}")).encode())
        os._exit(0)
    os.close(write_end)
    children.append((pid, read_end))
bytes_in_all = 0
for pid, read_end in children:
    with open(read_end) as pipe:
        bytes_in_all += int(pipe.read())
    os.waitpid(pid, 0)
get(f"/anything/report?bytes={bytes_in_all}")
