"""Send four GETs at once, each in a process of its own."""

import http.client
import os
import sys

PORT = int(sys.argv[1])
DELAYS = "500ms", "400ms", "400ms", "500ms"


def get(delay: str) -> None:
    """Send one GET, wait for its answer, and print which process has it."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", f"/?_delay={delay}")
    body = connection.getresponse().read().decode()
    print(f"process {os.getpid()}: {body}", flush=True)
    connection.close()


def wait_for_children() -> None:
    """Wait until all processes have ended that this process has started."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


for delay in DELAYS:
    if os.fork() == 0:
        get(delay)
        os._exit(0)
    wait_for_children()
