"""Send three GETs at once, and report how many bytes came in all."""

import http.client
import os
import sys

PORT = int(sys.argv[1])
# What three answers are long.
sizes = [87, 87, 87]


def get(target: str) -> int:
    """Send one GET, and return how long the body of its answer is."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", target)
    body = connection.getresponse().read()
    connection.close()
    return len(body)


children = []
for delay in "500ms", "400ms", "500ms":
    pid = os.fork()
    if pid == 0:
        sizes.append(get(f"/headers?_delay={delay}"))
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
get(f"/anything/report?bytes={sum(sizes)}")
