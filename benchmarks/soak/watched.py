"""`python -m benchmarks.soak.watched ARGUMENTS`: `nbtwisted`, whose timers can be seen.

At each SIGUSR1 it prints how many calls its reactor has still to make.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from nbtwisted.__main__ import main

TIMERS = "timers: "


def tell_timers(*_: Any) -> None:
    """Print them, where Twisted's reactor has some."""
    # The reactor is chosen by what is run here, and only then imported.
    reactor: Any = sys.modules["twisted.internet.reactor"]
    print(f"{TIMERS}{len(reactor.getDelayedCalls())}", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell_timers)
    sys.exit(main())
