"""Sends many GETs to a server that misbehaves at random; says how each has ended.

`python -m benchmarks.hostile`, or `make hostile`. Each request has a second. The
promise is that it ends by then, give or take 100 ms, and that the
reactor has nothing of ours when all have: no reader, no writer, no timer. Exits with 1
if that is not kept. `benchmarks/misbehaving.py` is the server.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.task import deferLater, react
from typing_extensions import Unpack

from benchmarks.misbehaving import MAX_TIME, misbehaving
from nbtwisted.client.many.gathering import gather
from nbtwisted.client.many.job_list import Given
from nbtwisted.client.request.getting import Getter, How
from nbtwisted.client.request.pacing import Pacing
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.result import Result
from nbtwisted.command_line import raise_open_files
from nbtwisted.gc_tuning import leave_startup_to_itself

__all__ = ["AT_ONCE", "FOLLOWED", "PLAIN", "Outcome", "attack", "how_they_ended"]

AT_ONCE = 100


@dataclass
class Outcome:
    """How an attack has ended."""

    number: int
    """Of requests to be sent."""
    results: dict[int, Result] = field(default_factory=dict)
    """By the positions of their URLs."""
    latest: float = 0.0
    """Seconds that one has missed its deadline by."""
    seconds: float = 0.0
    left: list[str] = field(default_factory=list)
    """What the reactor still has of ours."""
    timers: int = 0
    """Those that it still has."""

    def take(self, index: int, result: Result) -> None:
        """One of them has ended."""
        self.results[index] = result
        assert result.timing is not None, result
        self.latest = max(self.latest, result.timing.total - MAX_TIME)

    def is_good(self, late: float) -> bool:
        """Whether the promise was kept, or missed by so many seconds at most."""
        is_whole = len(self.results) == self.number
        return is_whole and self.latest <= late and not self.left and not self.timers

    def __str__(self) -> str:
        """What to tell of it."""
        return "\n".join(
            [
                *(f"left: {each}" for each in self.left),
                f"{len(self.results):,} of {self.number:,} ended in "
                f"{self.seconds:.1f} s, the latest {self.latest * 1000:+.1f} ms from "
                f"its deadline; {len(self.left)} sockets and {self.timers} timers left",
            ]
        )


PLAIN = How(max_time=MAX_TIME)
"""How to send requests each of which is sent once."""
FOLLOWED = How(max_time=MAX_TIME, max_redirects=5, retries=Retries(2, delay=0.05))
"""How to send those that may be redirected, and tried again."""


async def attack(
    reactor: Any,
    urls: Sequence[str],
    *,
    seed: int = 1,
    at_once: int = AT_ONCE,
    keeps_alive: bool = True,
    **how: Unpack[How],
) -> Outcome:
    """Get all, as `PLAIN` or more."""
    outcome = Outcome(len(urls))
    getter = Getter(
        reactor,
        connections=at_once,
        more_to_come=keeps_alive,
        draw=random.Random(seed).random,
        **how,
    )
    # One in twenty refuses, which would slow all others down.
    getter.pacing = Pacing()
    # The reactor has things of its own from its first turn on.
    await deferLater(reactor, 0)
    before = {*reactor.getReaders(), *reactor.getWriters()}
    timers = len(reactor.getDelayedCalls())
    began = getter.now()
    await gather(getter, Given(urls), concurrency=at_once, deliver=outcome.take)
    outcome.seconds = getter.now() - began
    left = {*reactor.getReaders(), *reactor.getWriters()} - before
    outcome.left = [str(each) for each in left]
    outcome.timers = len(reactor.getDelayedCalls()) - timers
    return outcome


def how_they_ended(outcome: Outcome) -> Counter[str]:
    """The number of answers, and of each type of error."""
    return Counter(
        "answer" if result.error is None else type(result.error).__name__
        for result in outcome.results.values()
    )


def main() -> None:
    """Raises `SystemExit`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=10_000, help="requests to send")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random")
    parser.add_argument(
        "--late", type=float, default=0.1, help="seconds behind a deadline, at most"
    )
    told = parser.parse_args()
    raise_open_files()
    # As the command does; the collector would stop it for a tenth of a second.
    leave_startup_to_itself()
    with misbehaving(told.seed) as addresses:
        url = addresses.base("http", "chance")
        urls = [f"{url}/{n}" for n in range(told.number)]

        async def run(reactor: Any) -> None:
            outcome = await attack(reactor, urls, seed=told.seed, **FOLLOWED)
            for name, number in how_they_ended(outcome).most_common():
                print(f"{name:<20} {number:>9,}")
            print(outcome)
            sys.exit(0 if outcome.is_good(told.late) else 1)

        react(run)


if __name__ == "__main__":
    main()
