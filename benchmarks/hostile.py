"""Sends many GETs to a server that misbehaves at random; says how each has ended.

`python -m benchmarks.hostile`, or `make hostile`. Each request has a second. The
promise is that it ends by then, give or take 100 ms, and that the
reactor has nothing of ours when all have: no reader, no writer, no timer. Exits with 1
if that is not kept. The server is a process of plain asyncio sockets.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import socket
import struct
import sys
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any

from twisted.internet.task import deferLater, react

from nbtwisted.client.many.gathering import gather
from nbtwisted.client.many.job_list import Given
from nbtwisted.client.request.getting import Getter
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.result import Result
from nbtwisted.command_line import raise_open_files
from nbtwisted.gc_tuning import leave_startup_to_itself

MAX_TIME = 1.0
AT_ONCE = 100

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SAID = [
    WHOLE,
    WHOLE,
    WHOLE + b"HTTP/1.1 200 OK\r\n\r\n",
    WHOLE[:-2],
    WHOLE[:30],
    b"",
    OK + b"\r\n" + b"x" * 100_000,
    CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"5\r\nhello\r\n",
    CHUNKED + b"11111111111111111\r\n",
    CHUNKED + b"1;" + b"x" * 2**20 + b"\r\ny\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
    b"HTTP/1.1 2_00 OK\r\n\r\n",
    OK + b"A : b\r\n\r\n",
    OK + b"A: b\r\n" * 5000 + b"\r\n",
    OK + b"A: " + b"x" * 400_000,
    OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /again\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /%b\r\n\r\n"
    % (b"x" * 2**17),
    b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
]
"""What the server may answer with, before it does one of these."""
DONE = ["keep", "keep", "keep", "close", "reset", "stall", "drip"]


class Misbehaving(asyncio.Protocol):
    """Does something else with each request."""

    transport: Any

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._dripping: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Speak first, or leave at once, now and then."""
        self.transport = transport
        if self._chance.random() < 0.05:
            self._speak()

    def data_received(self, data: bytes) -> None:
        """Answer, after a while or not at all."""
        if self._chance.random() < 0.2:
            delay = self._chance.choice([0.01, 0.3, 0.9, 0.99, 1.0, 1.01])
            asyncio.get_running_loop().call_later(delay, self._speak)
        else:
            self._speak()

    def _speak(self) -> None:
        self.transport.write(self._chance.choice(SAID))
        what = self._chance.choice(DONE)
        if what == "close":
            self.transport.close()
        elif what == "reset":
            raw = self.transport.get_extra_info("socket")
            linger = struct.pack("ii", 1, 0)
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        elif what == "stall":
            self.transport.pause_reading()
        elif what == "drip":
            self._drip()

    def _drip(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"x")
            self._dripping = asyncio.get_running_loop().call_later(0.05, self._drip)

    def connection_lost(self, error: Exception | None) -> None:
        """Drip no more."""
        if self._dripping is not None:
            self._dripping.cancel()


def serve(seed: int, ready: Connection) -> None:
    """Runs in a process of its own until that is ended."""

    async def run() -> None:
        chance = random.Random(seed)
        server = await asyncio.get_running_loop().create_server(
            lambda: Misbehaving(chance), "127.0.0.1", 0, backlog=1000
        )
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def attack(reactor: Any, urls: list[str], seed: int, late: float) -> int:
    """Get all; prints how they ended, and returns the exit code.

    `late` is the seconds that any of them may have missed its deadline by.
    """
    ended: Counter[str] = Counter()
    latest = 0.0

    def take(index: int, result: Result) -> None:
        nonlocal latest
        error = result.error
        ended["answer" if error is None else type(error).__name__] += 1
        assert result.timing is not None, result
        latest = max(latest, result.timing.total - MAX_TIME)

    chance = random.Random(seed)
    getter = Getter(
        reactor,
        max_time=MAX_TIME,
        connections=AT_ONCE,
        more_to_come=True,
        max_redirects=5,
        retries=Retries(2, delay=0.05),
        draw=chance.random,
    )
    # The reactor has things of its own from its first turn on.
    await deferLater(reactor, 0)
    before = {*reactor.getReaders(), *reactor.getWriters()}
    timers = len(reactor.getDelayedCalls())
    began = getter.now()
    await gather(getter, Given(urls), concurrency=AT_ONCE, deliver=take)
    seconds = getter.now() - began
    left = {*reactor.getReaders(), *reactor.getWriters()} - before
    timers = len(reactor.getDelayedCalls()) - timers
    for name, number in ended.most_common():
        print(f"{name:<20} {number:>9,}")
    number = sum(ended.values())
    print(f"{number:,} of {len(urls):,} ended in {seconds:.1f} s")
    for each in left:
        print("left:", each)
    print(f"the latest {latest * 1000:+.1f} ms from its deadline", end="; ")
    print(f"{len(left)} sockets and {timers} timers left")
    is_kept = number == len(urls) and latest <= late and not left and not timers
    return 0 if is_kept else 1


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
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(told.seed, theirs))
    server.start()
    try:
        url = f"http://127.0.0.1:{ours.recv()}/"
        urls = [f"{url}{n}" for n in range(told.number)]

        async def run(reactor: Any) -> None:
            sys.exit(await attack(reactor, urls, told.seed, told.late))

        react(run)
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
