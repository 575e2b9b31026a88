"""Send 200 GETs, with no more than 20 of them in flight at once."""

import http.client
import sys
from concurrent.futures import ThreadPoolExecutor

PORT = int(sys.argv[1])
REQUESTS = 200


def get(_: int) -> int:
    """Send one GET, and return the status of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", "/?_delay=100ms")
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


with ThreadPoolExecutor(max_workers=REQUESTS) as pool:
    statuses = list(pool.map(get, range(REQUESTS)))
print(f"{statuses.count(200)} answers")
