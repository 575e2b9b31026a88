"""Each toxic of `--toxiproxy-api`, asked for and measured: one table.

`python -m benchmarks.toxics`, or `make toxics`: Toxiproxy's Python client drives
`nbtwisted proxy`, and plain sockets measure what a client sees. Half a
minute; the times of a busy machine are longer. Nothing is judged here but what a busy
machine does not change: bytes, ends of connections, and that no delay is too short.
Exits with 1 if one of these is wrong.
"""

from __future__ import annotations

import itertools
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

from toxiproxy import Proxy, Toxiproxy

from tests.proxy.toxiproxy.running import RunningAPI

SEED = 7
LINKS = 500
"""Connections that are made to see a toxicity."""
PATIENCE = 10.0
"""Seconds after which a silent socket is given up."""


class Row(NamedTuple):
    """One line of the table."""

    toxic: str
    asked: str
    measured: str
    is_right: bool


class Bench:
    """The command with its API, an upstream, and a client of both."""

    def __init__(self) -> None:
        self._upstream = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.toxics_upstream"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._upstream.stdout is not None
        self._port = int(self._upstream.stdout.readline())
        self._api = RunningAPI("--seed", str(SEED))
        self.toxiproxy = Toxiproxy()
        self.toxiproxy.update_api_consumer("127.0.0.1", self._api.port)
        self._made = 0

    def close(self) -> None:
        """End both."""
        self._api.stop()
        self._upstream.communicate(timeout=PATIENCE)

    @contextmanager
    def proxy(self, *toxics: dict[str, Any]) -> Iterator[Proxy]:
        """A proxy in front of the upstream, with these toxics."""
        self._made += 1
        proxy = self.toxiproxy.create(
            upstream=f"127.0.0.1:{self._port}", name=f"measured {self._made}"
        )
        try:
            for toxic in toxics:
                proxy.add_toxic(**toxic)
            yield proxy
        finally:
            proxy.destroy()

    @contextmanager
    def link(self, *toxics: dict[str, Any]) -> Iterator[socket.socket]:
        """A connection through a proxy with these toxics."""
        with self.proxy(*toxics) as proxy, connect(proxy) as link:
            yield link


def connect(proxy: Proxy) -> socket.socket:
    """A connection to the proxy's port."""
    host, _, port = proxy.listen.rpartition(":")
    link = socket.create_connection((host, int(port)), PATIENCE)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def toxic(kind: str, *, stream: str = "downstream", **attributes: int) -> Any:
    """What the client's `add_toxic` takes."""
    return {"type": kind, "stream": stream, "attributes": attributes}


def since(began: float) -> float:
    """Milliseconds."""
    return (time.monotonic() - began) * 1000


def read(link: socket.socket, size: int) -> bytes:
    """So many bytes, or those that came before the end."""
    got = b""
    while len(got) < size and (piece := link.recv(min(65536, size - len(got)))):
        got += piece
    return got


def round_trip(link: socket.socket) -> float:
    """Milliseconds."""
    began = time.monotonic()
    link.sendall(b"ECHO hello\n")
    assert read(link, 6) == b"hello\n"
    return since(began)


def range_of(times: list[float]) -> str:
    """Of some times: the least, the middle and the most."""
    return (
        f"{min(times):.1f} to {max(times):.1f} ms, median "
        f"{statistics.median(times):.1f} ms"
    )


def nothing(bench: Bench) -> Row:
    """Without a toxic, for comparison."""
    with bench.link() as link:
        times = [round_trip(link) for _ in range(200)]
    return Row("none", "round trips", f"median {statistics.median(times):.2f} ms", True)


def latency(bench: Bench) -> Iterator[Row]:
    """Delays, fixed and drawn, one way and both."""
    for stream in ("downstream", "upstream"):
        with bench.link(toxic("latency", stream=stream, latency=100)) as link:
            times = [round_trip(link) for _ in range(20)]
        right = min(times) >= 100
        yield Row("latency", f"100 ms, {stream}", range_of(times), right)
    drawn = toxic("latency", latency=40, jitter=20)
    with bench.link(drawn) as link:
        times = [round_trip(link) for _ in range(200)]
    right = min(times) >= 20 and max(times) - min(times) > 30
    yield Row("latency", "40 ms, jitter 20 ms", range_of(times), right)
    both = (
        toxic("latency", latency=50),
        toxic("latency", stream="upstream", latency=50),
    )
    with bench.link(*both) as link:
        times = [round_trip(link) for _ in range(20)]
    yield Row("latency", "50 ms each way", range_of(times), min(times) >= 100)


def bandwidth(bench: Bench) -> Iterator[Row]:
    """Rates, of what comes and of what goes."""
    size = 1_000_000
    for rate, stream in ((500, "downstream"), (1000, "upstream")):
        with bench.link(toxic("bandwidth", stream=stream, rate=rate)) as link:
            began = time.monotonic()
            if stream == "downstream":
                link.sendall(b"SEND %d\n" % size)
                got = len(read(link, size))
            else:
                link.sendall(b"TAKE %d\n" % size + b"*" * size)
                got = int(read(link, len("taken 1000000\n")).split()[1])
            took = since(began)
        yield Row(
            "bandwidth",
            f"{rate} KB/s, {stream}, 1 MB",
            f"{got / took:.0f} KB/s ({took / 1000:.2f} s)",
            got == size and took >= size / rate * 0.9,
        )


def slow_close(bench: Bench) -> Row:
    """A FIN that comes later."""
    with bench.link(toxic("slow_close", delay=500)) as link:
        round_trip(link)
        began = time.monotonic()
        link.sendall(b"CLOSE\n")
        end = link.recv(1)
        took = since(began)
    measured = f"EOF {took:.0f} ms after the upstream was told to close"
    return Row("slow_close", "500 ms", measured, end == b"" and took >= 500)


def timeout(bench: Bench) -> Iterator[Row]:
    """Silence, and an end or none."""
    with bench.proxy(toxic("timeout", timeout=300)) as proxy:
        # Its time begins with the link, which the proxy may have before we do.
        began = time.monotonic()
        with connect(proxy) as link:
            link.sendall(b"ECHO hello\n")
            end = link.recv(1)
            took = since(began)
    yield Row(
        "timeout",
        "300 ms",
        f"no byte, EOF after {took:.0f} ms",
        end == b"" and took >= 290,
    )
    with bench.proxy(toxic("timeout", timeout=0)) as proxy, connect(proxy) as link:
        link.sendall(b"ECHO hello\n")
        link.settimeout(1)
        is_silent = False
        try:
            link.recv(1)
        except TimeoutError:
            is_silent = True
        link.settimeout(PATIENCE)
        proxy.destroy_toxic("timeout_downstream")
        end = link.recv(1)
    measured = "no byte and no end in 1 s; EOF when it was removed"
    yield Row("timeout", "0: never", measured, is_silent and end == b"")


def reset_peer(bench: Bench) -> Iterator[Row]:
    """A real RST."""
    for asked in (0, 200):
        with bench.link(toxic("reset_peer", timeout=asked)) as link:
            began = time.monotonic()
            error = "no error"
            try:
                link.sendall(b"ECHO hello\n")
                link.recv(1)
            except ConnectionResetError:
                error = "ECONNRESET"
            took = since(began)
        right = error == "ECONNRESET" and took >= asked
        yield Row("reset_peer", f"{asked} ms", f"{error} after {took:.1f} ms", right)


def slicer(bench: Bench) -> Row:
    """Pieces and pauses."""
    cut = toxic("slicer", average_size=100, size_variation=20, delay=10_000)
    sizes: list[int] = []
    times: list[float] = []
    with bench.link(cut) as link:
        link.sendall(b"SEND 10000\n")
        while sum(sizes) < 10_000 and (piece := link.recv(65536)):
            times.append(time.monotonic())
            sizes.append(len(piece))
    pauses = [(b - a) * 1000 for a, b in itertools.pairwise(times)]
    # The last one is what is left, and a busy machine may read two at once.
    common = sizes[:-1]
    return Row(
        "slicer",
        "100 bytes, give or take 20, 10 ms apart; 10,000 bytes",
        f"{len(sizes)} pieces of {min(common)} to {max(common)} bytes, median "
        f"{statistics.median(common):.0f}; {statistics.median(pauses):.1f} ms apart",
        sum(sizes) == 10_000 and min(common) >= 80 and len(sizes) > 20,
    )


def limit_data(bench: Bench) -> Row:
    """So many bytes, and then the end."""
    with bench.link(toxic("limit_data", bytes=1000)) as link:
        link.sendall(b"SEND 5000\n")
        got = len(read(link, 5000))
    return Row("limit_data", "1,000 bytes of 5,000", f"{got:,} bytes, EOF", got == 1000)


def toxicity(bench: Bench) -> Row:
    """On how many links a toxic acts, and that they are the same of the same seed."""
    some = {**toxic("limit_data", bytes=1), "toxicity": 0.3}
    with bench.proxy(some) as proxy:
        acted = 0
        for _ in range(LINKS):
            with closing(connect(proxy)) as link:
                link.sendall(b"ECHO hello\n")
                acted += len(read(link, 6)) == 1
    share = acted / LINKS
    measured = f"{acted} of {LINKS} links"
    return Row("toxicity", "0.3", measured, abs(share - 0.3) < 0.1)


def down(bench: Bench) -> Row:
    """A proxy that is disabled, and enabled again."""
    with bench.proxy() as proxy:
        with connect(proxy) as link:
            round_trip(link)
            with proxy.down():
                end = link.recv(1)
                try:
                    connect(proxy).close()
                    refused = "accepted"
                except ConnectionRefusedError:
                    refused = "ECONNREFUSED"
        with connect(proxy) as link:
            round_trip(link)
    measured = f"links end, new ones get {refused}; enabled again, the port is the same"
    return Row("down", "disabled", measured, end == b"" and refused == "ECONNREFUSED")


ROWS: tuple[Callable[[Bench], Row | Iterator[Row]], ...] = (
    *(nothing, latency, bandwidth, slow_close, timeout, reset_peer, slicer),
    *(limit_data, toxicity, down),
)


def main() -> None:
    """Raises `SystemExit`."""
    bench = Bench()
    print("| toxic | asked | measured |\n|---|---|---|")
    wrong = 0
    try:
        for measure in ROWS:
            measured = measure(bench)
            for row in [measured] if isinstance(measured, Row) else measured:
                wrong += not row.is_right
                mark = "" if row.is_right else " **WRONG**"
                print(
                    f"| {row.toxic} | {row.asked} | {row.measured}{mark} |", flush=True
                )
    finally:
        bench.close()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
