"""Programs whose threads write: that nothing stalls, and nothing is lost.

`python -m benchmarks.threads`, or `make threads`: on each reactor, for half of the time
a thread writes where nothing else wakes the reactor, one piece after another. For the
other half 20 clients read what threads write for them (`request.write` in a
`deferToThread` job, and a bare transport), and a third of them leave in the middle.
Each byte is compared. A client that gets nothing for `LIMIT` has stalled. Exits with 1
if one has, if a byte is missing or wrong, or if something is left at the end.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.threads_server import pieces_of

SERVER = Path(__file__).parent / "threads_server.py"
CLIENTS = 20
LIMIT = 5.0
"""Seconds: machines that run this are busy. Who is not woken sleeps for ever."""


@dataclass
class Tally:
    """What came of a run on one reactor."""

    pings: int = 0
    longest: float = 0.0
    whole: int = 0
    left: int = 0
    wrong: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def add(self, **counts: int) -> None:
        """Add to the counts by these names; from any thread."""
        with self.lock:
            for name, number in counts.items():
                setattr(self, name, getattr(self, name) + number)


def connect(port: int, said: bytes) -> socket.socket:
    """A connection that has said something, and waits `LIMIT` for each answer."""
    client = socket.create_connection(("127.0.0.1", port), LIMIT)
    client.sendall(said)
    return client


def ping(server: Any, port: int, seconds: float, tally: Tally) -> None:
    """Ask for a piece, and for the next when it has come."""
    with connect(port, b"PING\n") as client:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            server.stdin.write("next\n")
            server.stdin.flush()
            try:
                got = client.recv(8, socket.MSG_WAITALL)
            except TimeoutError:
                tally.wrong.append(f"piece {tally.pings} of a thread stalled")
                break
            if got != b"%8d" % tally.pings:
                tally.wrong.append(f"got {got!r} for piece {tally.pings}")
                break
            tally.longest = max(tally.longest, time.monotonic() - began)
            tally.pings += 1
        server.stdin.write("end\n")
        server.stdin.flush()
        try:
            if client.recv(1) != b"":
                tally.wrong.append("more than was written")
        except TimeoutError:
            tally.wrong.append("a connection that a thread closed is open")


def read_all(web: int, raw: int, until: float, seed: int, tally: Tally) -> None:
    """One client after another: some read to the end, some leave."""
    chance = random.Random(seed)
    while time.monotonic() < until and not tally.wrong:
        number = chance.randrange(10**9)
        expected = b"".join(pieces_of(number))
        by_web = chance.random() < 0.5
        said = b"GET /?n=%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % number
        leaves = chance.random() < 1 / 3
        stops_at = chance.randrange(len(expected)) if leaves else None
        with connect(
            web if by_web else raw, said if by_web else b"RAW %d\n" % number
        ) as client:
            try:
                got = read(client, stops_at)
            except TimeoutError:
                tally.wrong.append(f"an answer of {len(expected)} bytes stalled")
                return
            if leaves:
                if chance.random() < 0.5:
                    # By a reset.
                    linger = struct.pack("ii", 1, 0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                tally.add(left=1)
                continue
        body = got.partition(b"\r\n\r\n")[2] if by_web else got
        if body != expected:
            tally.wrong.append(f"{len(body)} bytes, not the {len(expected)} written")
        tally.add(whole=1)


def read(client: socket.socket, stops_at: int | None) -> bytes:
    """What comes until the end, or until there are so many bytes."""
    got = bytearray()
    while stops_at is None or len(got) < stops_at:
        data = client.recv(65536)
        if not data:
            break
        got += data
    return bytes(got)


def left_over(port: int) -> list[str]:
    """What is not done when all should be."""
    until = time.monotonic() + LIMIT
    while True:
        with connect(port, b"END\n") as client:
            left = json.loads(read(client, None))
        wrong = list(left["logged"])
        if left["open"]:
            wrong.append(f"{left['open']} connections are still open")
        if left["begun"] != left["ended"]:
            wrong.append(f"{left['begun'] - left['ended']} jobs have not ended")
        if not wrong or time.monotonic() > until:
            return wrong


def run(reactor: str, seconds: float) -> Tally:
    """All of it on one reactor."""
    tally = Tally()
    with subprocess.Popen(
        [sys.executable, str(SERVER), reactor],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Where the traced reactor says what it has to say.
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            web, raw = map(int, server.stdout.readline().split())
            ping(server, raw, seconds / 2, tally)
            until = time.monotonic() + seconds / 2
            clients = [
                threading.Thread(target=read_all, args=(web, raw, until, seed, tally))
                for seed in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            tally.wrong += left_over(raw)
        finally:
            server.terminate()
    return tally


def main() -> None:
    """Prints a line for each reactor; raises `SystemExit`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--reactors", nargs="+", default=["eager", "traced"])
    args = parser.parse_args()
    failed = False
    for reactor in args.reactors:
        tally = run(reactor, args.seconds)
        print(
            f"{reactor}: {tally.pings} pieces one by one, the slowest after "
            f"{tally.longest * 1000:.1f} ms; {tally.whole} answers whole, {tally.left} "
            f"clients left: {'FAILED' if tally.wrong else 'nothing lost, none stalled'}"
        )
        for each in tally.wrong[:10]:
            print(f"  {each}")
        failed |= bool(tally.wrong)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
