"""Shows that the server loses nothing and leaks nothing, whatever its clients do.

    python -m benchmarks.soak [--seconds N] [--connections N] [--only NAME]...

Each scenario has a server of its own, which is a real process, and clients that are
plain sockets: a witness that shares no code with what it watches.

    storm        connections that come and leave at once, with half a request or none
    half-sent    heads that come a byte at a time, until the server has had enough
    many-held    thousands of answers held at once, whose clients then leave at once
    slow-reader  a body of 100 MB that is read at 1 MB a second
    kept-reader  answers that are read for 40 s, and then another on the connection
    zero-window  clients that ask for 100 MB and read nothing
    leavers      clients that leave when much is behind the request that is held
    closes       `Connection: close`, and 300 KB of requests behind it
    sigterm      a server told to stop while it holds answers
    drain        the same, with 300 KB of requests behind each that is held
    uploads      bodies of 1 MB that are nearly all there, by the hundred
    greedy       one client that asks for what takes long to do, and five others
    mixed        all kinds of answers and of faults at once, for --seconds
    proxy        proxies in HTTP mode and in TCP mode, for --seconds: slow and broken
                 answers, uploads, clients that leave, and an upstream that is killed
                 and started again; each request is followed at its client, in the
                 proxy's journal and at the upstream

Those that mostly wait (half-sent, kept-reader, zero-window, and proxy) run at the same
time.

*Lost* is what a client should have had and did not get, or not as it should be.
*Leaked* is what the server still holds when its clients are gone: a request in flight,
a file descriptor, or memory (counted as one). *Complaints* are lines that the server
printed, other than the two that it should, and an exit code other than 0. The exit code
of the script is 0 if there is none of all these, and otherwise 1.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import sys
import time
from collections.abc import (
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from benchmarks.soak.clients import WAVE, together
from benchmarks.soak.figures import MOST_COMPLAINTS_SHOWN, Row, Settings, say
from benchmarks.soak.greedy import greedy
from benchmarks.soak.mixed import mixed
from benchmarks.soak.pipelining import leavers, pipelined_closes, pipelined_drain
from benchmarks.soak.proxied import proxied, running_proxy
from benchmarks.soak.scenarios import half_sent, many_held, storm, told_to_stop
from benchmarks.soak.server import Server, running_server
from benchmarks.soak.slow_readers import (
    ZERO_WINDOW_OPTIONS,
    kept_readers,
    slow_reader,
    zero_windows,
)
from benchmarks.soak.uploads import uploads

SECONDS_OF_A_SCENARIO = 180.0
"""After which it is given up; those that go on for --seconds have so much more."""


@dataclass(frozen=True)
class Scenario:
    """What clients do to a server."""

    act: Callable[[Server, Settings, Row], Awaitable[None]]
    options: tuple[str, ...] = ()
    """Of the server."""
    mostly_waits: bool = False
    """Whether it can run beside others, and neither disturbs the other."""
    running: Callable[..., AbstractAsyncContextManager[Server]] = running_server
    """Starts the server, and ends it."""
    is_long: bool = False
    """Whether it goes on for --seconds."""


SCENARIOS: Mapping[str, Scenario] = {
    "storm": Scenario(storm),
    "half-sent": Scenario(half_sent, mostly_waits=True),
    "kept-reader": Scenario(kept_readers, mostly_waits=True),
    "zero-window": Scenario(zero_windows, ZERO_WINDOW_OPTIONS, mostly_waits=True),
    "many-held": Scenario(many_held),
    "slow-reader": Scenario(slow_reader),
    "leavers": Scenario(leavers),
    "closes": Scenario(pipelined_closes),
    "sigterm": Scenario(told_to_stop),
    "drain": Scenario(pipelined_drain),
    "uploads": Scenario(uploads),
    "greedy": Scenario(greedy),
    "mixed": Scenario(mixed, is_long=True),
    "proxy": Scenario(proxied, mostly_waits=True, running=running_proxy, is_long=True),
}


async def run(name: str, settings: Settings) -> Row:
    """Run a scenario against a server of its own."""
    say(f"{name} ...")
    row = Row(name)
    began = time.monotonic()
    scenario = SCENARIOS[name]
    limit = SECONDS_OF_A_SCENARIO + (settings.seconds if scenario.is_long else 0.0)
    async with scenario.running(*scenario.options) as server:
        try:
            await asyncio.wait_for(scenario.act(server, settings, row), limit)
        # Whatever went wrong, the other scenarios have something to tell.
        except Exception as error:
            row.lost += 1
            row.note = f"given up: {error!r}"
        server.terminate()
        complaints = server.complaints(await server.wait())
    for complaint in complaints[:MOST_COMPLAINTS_SHOWN]:
        say(f"  complaint: {complaint}")
    row.complaints += len(complaints)
    row.seconds = time.monotonic() - began
    say(f"  {name} is {'good' if row.is_good else 'BAD'}: {row.note}")
    return row


async def run_all(names: Sequence[str], settings: Settings) -> list[Row]:
    """Run scenarios one after another, but for those that mostly wait."""
    task = asyncio.current_task()
    assert task is not None
    # So that no server is left behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    patient = [name for name in names if SCENARIOS[name].mostly_waits]
    rows = {
        row.name: row for row in await together(*(run(n, settings) for n in patient))
    }
    for name in names:
        if name not in rows:
            rows[name] = await run(name, settings)
    return [rows[name] for name in names]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The lines of a table."""
    cells = [("scenario", "done", "lost", "leaked", "complaints", "seconds", "note")]
    cells += [
        (
            row.name,
            f"{row.done:,} {row.unit}",
            f"{row.lost:,}",
            f"{row.leaked:,}",
            f"{row.complaints:,}",
            f"{row.seconds:.1f}",
            row.note,
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for name, *figures, note in cells:
        middle = [f.rjust(w) for f, w in zip(figures, widths[1:-1], strict=True)]
        yield "  ".join([name.ljust(widths[0]), *middle, note])


def verdict(rows: Sequence[Row]) -> str:
    """The totals, in a line."""
    text = f"{sum(r.lost for r in rows)} lost, {sum(r.leaked for r in rows)} leaked"
    complaints = sum(r.complaints for r in rows)
    return text + (f", {complaints} complaints" if complaints else "")


def read_arguments() -> argparse.Namespace:
    """Read what the script was told; raises `SystemExit` if that cannot be."""
    parser = argparse.ArgumentParser(description="Show that the server is reliable.")
    parser.add_argument(
        "--seconds",
        type=float,
        default=300.0,
        metavar="N",
        help="how long mixed and proxy go on, at least 20 (default: 300)",
    )
    parser.add_argument(
        "--connections",
        type=int,
        default=10_000,
        metavar="N",
        help="how many answers are held at once (default: 10000)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=list(SCENARIOS),
        metavar="NAME",
        help=f"run this scenario, of {', '.join(SCENARIOS)}; may be given again",
    )
    told = parser.parse_args()
    if told.seconds < 20 or told.connections < 1:
        parser.error("expected at least 20 seconds and 1 connection")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and told.connections > hard - WAVE:
        parser.error(
            f"only {hard} files may be open: too few for that many connections"
        )
    return told


def main() -> int:
    """Run what was asked for, and show the table; returns the exit code."""
    told = read_arguments()
    names = [name for name in SCENARIOS if name in (told.only or SCENARIOS)]
    settings = Settings(told.seconds, told.connections)
    try:
        rows = asyncio.run(run_all(names, settings))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("interrupted")
        return 1
    for line in table(rows):
        print(line)
    print(verdict(rows))
    return 0 if all(row.is_good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
