"""Send a GET in one thread, compute in another, and wait for both."""

import http.client
import sys

PORT = int(sys.argv[1])
results: list[str] = []


def get() -> None:
    """Send one GET, and keep the body of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", "/?_delay=1500ms")
    results.append(connection.getresponse().read().decode())
    connection.close()


def compute() -> None:
    """Add up some numbers, and keep their sum."""
    results.append(str(sum(range(1_000_000))))


get()
compute()
print(results)
