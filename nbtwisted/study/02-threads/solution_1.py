"""Send five GETs, each in its own thread, and print how long that took."""

import http.client
import sys
import threading
import time

PORT = int(sys.argv[1])
DELAYS = "300ms", "200ms", "100ms", "300ms", "200ms"


def get(delay: str) -> None:
    """Send one GET, and wait for its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", f"/?_delay={delay}")
    connection.getresponse().read()
    connection.close()


started = time.monotonic()
threads = [threading.Thread(target=get, args=(delay,)) for delay in DELAYS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"{len(DELAYS)} answers in {time.monotonic() - started:.1f} s")
