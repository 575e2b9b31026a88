"""Start a server, send it a varied stream of requests, and say where to watch.

Some are slow, some fail, some lose patience: by what they ask for, and by the rules of
`demo.toml`. Ctrl-C ends all of it. `make demo` runs this.
"""

from __future__ import annotations

import random
import signal
import sys
from pathlib import Path
from typing import Any

from server_beside import ServerBeside

from nbtwisted.command_line import end_quietly_when_interrupted
from nbtwisted.reactor.choosing import choose

# What is asked for, how often, and for how long it is waited for, in seconds.
KINDS = [
    ("/?_key=pseudo-api", 5, 30.0),
    ("/orders/{n}", 6, 30.0),
    ("/baskets/{n}", 4, 30.0),
    ("/get?_delay=uniform(300ms,2s)&_status=200:7,404:3&_key=books", 4, 30.0),
    ("/anything/reports/2026?_delay=9s&_key=reports", 2, 30.0),
    ("/payments/{n}", 3, 30.0),
    ("/get?_delay=1500ms&_fault=reset:0.4&_key=parcels", 1, 30.0),
    ("/get?_delay=800ms&_fault=truncate:0.5&_key=invoices", 2, 30.0),
    ("/get?_size=20000&_drip=4s/20&_delay=500ms&_key=downloads", 2, 30.0),
    ("/redirect-to?url=/get&_delay=700ms&_key=moved", 2, 30.0),
    ("/delay/20s?_key=impatient", 2, 3.0),
    ("/get?_fault=stall&_key=stalled", 1, 5.0),
    ("/get?_limit=3/10s&_delay=400ms&_key=limited", 2, 30.0),
]
RULES = Path(__file__).with_name("demo.toml")

A_SECOND = 7.0
"""Requests, on average: they come as they come when many people send them."""

BURST = 25
BURST_EVERY = 12.0
"""As many at once, so often, in seconds."""


def main() -> None:
    """Raises `SystemExit`: 0 after Ctrl-C, 1 if there is no server any more."""
    end_quietly_when_interrupted()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ServerBeside("--rules", str(RULES)) as server:
        choose([])
        url = server.url()
        print(f"Watch it in a browser: {url}__admin/live")
        print(f"Its rules are in {RULES}: change them, and see.")
        print("Ctrl-C ends it.", flush=True)
        sys.exit(send(url.rstrip("/"), server))


def send(url: str, server: ServerBeside) -> int:
    """Send requests until told to stop; returns the exit code."""
    from twisted.internet import reactor as global_reactor

    from nbtwisted.client import get

    reactor: Any = global_reactor
    exit_codes: list[int] = []

    def ask(path: str, patience: float) -> None:
        # How they end is what the page shows.
        get(url + path, reactor=reactor, max_time=patience).addErrback(lambda _: None)

    def one() -> None:
        if server.has_ended:
            print("the server has ended", file=sys.stderr)
            stop(1)
            return
        path, _, patience = random.choices(KINDS, [often for _, often, _ in KINDS])[0]
        ask(path.format(n=random.randrange(30)), patience)
        reactor.callLater(random.expovariate(A_SECOND), one)

    def many() -> None:
        for _ in range(BURST):
            ask("/delay/uniform(1s,3s)?_key=burst", 30.0)
        reactor.callLater(BURST_EVERY, many)

    def stop(exit_code: int) -> None:
        if not exit_codes:
            exit_codes.append(exit_code)
            reactor.stop()

    def listen_to_signals() -> None:
        signal.signal(signal.SIGINT, lambda *_: reactor.callFromThread(stop, 0))
        signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(stop, 143))

    reactor.callWhenRunning(listen_to_signals)
    reactor.callWhenRunning(one)
    reactor.callLater(BURST_EVERY / 2, many)
    reactor.run()
    return exit_codes[0]


if __name__ == "__main__":
    main()
