"""Send three GETs at once, and report how many bytes came in all."""

import http.client
import sys
import threading

PORT = int(sys.argv[1])
sizes: list[int] = []


def get(target: str) -> int:
    """Send one GET, and return how long the body of its answer is."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", target)
    body = connection.getresponse().read()
    connection.close()
    return len(body)


threads = []
for delay in "500ms", "400ms", "500ms":
    thread = threading.Thread(
        target=lambda target: sizes.append(get(target)),
        args=(f"/headers?_delay={delay}",),
    )
    thread.start()
    threads.append(thread)
for thread in threads:
    thread.join()
get(f"/anything/report?bytes={sum(sizes)}")
