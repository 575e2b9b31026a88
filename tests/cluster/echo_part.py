"""A part that says what it is told, for tests of what carries it."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet import reactor

from nbtwisted.cluster.driver import StandardDriver
from nbtwisted.cluster.frame import Frame


class Echo:
    """Says it; ends in the way that it is told to."""

    def __init__(self) -> None:
        self.driver = StandardDriver(reactor, self)

    def frame_received(self, frame: Frame) -> None:
        """As the driver's listener has it."""
        if "die" in frame.head:
            os.write(2, b"Traceback\nno room\n")
            os._exit(3)
        if "print" in frame.head:
            os.write(1, b"what is no frame\n")
        times = frame.head.get("times", 1)
        for _ in range(times):
            self.driver.send({"echo": frame.head}, frame.payload)

    def driver_ready(self) -> None:
        """As the driver's listener has it."""

    def driver_gone(self) -> None:
        """As the driver's listener has it."""
        stop: Any = reactor
        stop.stop()


if __name__ == "__main__":
    if "old" in sys.argv:
        print('{"hello": {"nbtwisted": "0.1"}}', flush=True)
        sys.stdin.read()
    elif "broken" in sys.argv:
        sys.exit("no such program")
    Echo()
    run: Any = reactor
    run.run()
