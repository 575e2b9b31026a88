"""Sets the clock under a reactor, which `choose` or `install` have made: a program."""

from __future__ import annotations

import os
import signal
import sys
import threading
from importlib import import_module
from typing import Any

from tests.clock_that_steps import BACK, FORWARD


def main(how: str, *arguments: str) -> None:
    """Print which timers have run; exit with 9 if one never does."""
    # The suite has taken away what people set by this name.
    if "TRIED_CLOCK" in os.environ:
        os.environ["NBTWISTED_CLOCK"] = os.environ["TRIED_CLOCK"]
    if how == "choose":
        import_module("nbtwisted.reactor.choosing").choose(arguments)
    else:
        import_module(how).install()
    reactor: Any = import_module("twisted.internet.reactor")
    ran: list[str] = []
    give_up = threading.Timer(5, os._exit, [9])
    give_up.daemon = True
    give_up.start()

    def begin() -> None:
        reactor.callLater(0.05, soon)
        signal.raise_signal(BACK)

    def soon() -> None:
        ran.append("soon")
        reactor.callLater(30, ran.append, "early")
        signal.raise_signal(FORWARD)
        reactor.callLater(0.05, reactor.stop)

    reactor.callWhenRunning(begin)
    reactor.run()
    print(*ran)


if __name__ == "__main__":
    main(*sys.argv[1:])
