"""A network of a few machines, in user space: packets come late, and some not at all.

`python -m benchmarks.slow_link DELAY LOSS SEED NAMESPACE=ADDRESS …` is run by
`benchmarks/machines.py`, as root. Each namespace gets a TUN device with its address,
whose packets go to the namespace that has their destination. The kernel's own `netem`
does the same; not every kernel has it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping

__all__ = ["DEVICE", "SlowLink"]

DEVICE = "slow0"
NETWORK = 24
"""Bits of an address that all machines have in common."""

# linux/if_tun.h: IP packets, with nothing before them.
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
LARGEST_PACKET = 1 << 16
# RFC 791, section 3.1
VERSION_4 = 4
DESTINATION = slice(16, 20)


class SlowLink:
    """Passes packets on, `delay` seconds after they came, but for a share of them.

    `ends` are the devices' files, by the addresses (of 4 bytes) that are behind them.
    """

    def __init__(
        self, ends: Mapping[bytes, int], delay: float, loss: float, seed: int
    ) -> None:
        self._ends = ends
        self._delay = delay
        self._loss = loss
        self._chance = random.Random(seed)
        # All have the same delay: whoever came first goes first.
        self._under_way: deque[tuple[float, int, bytes]] = deque()

    def run(self) -> None:
        """Pass packets on, and do not return."""
        poll = select.epoll()
        for file in self._ends.values():
            os.set_blocking(file, False)
            poll.register(file, select.EPOLLIN)
        while True:
            for file, _ in poll.poll(self.seconds_left(time.monotonic())):
                self._read(file)
            self.deliver(time.monotonic())

    def seconds_left(self, now: float) -> float:
        """Seconds until there is a packet to deliver; -1 if there is none."""
        return max(self._under_way[0][0] - now, 0.0) if self._under_way else -1

    def take(self, packet: bytes, now: float) -> None:
        """A packet has come."""
        if packet[0] >> 4 != VERSION_4:
            return
        end = self._ends.get(packet[DESTINATION])
        if end is not None and self._chance.random() >= self._loss:
            self._under_way.append((now + self._delay, end, packet))

    def deliver(self, now: float) -> None:
        """Pass on what is due."""
        while self._under_way and self._under_way[0][0] <= now:
            _, end, packet = self._under_way.popleft()
            # A device that is full, or down, drops packets, as devices do.
            with contextlib.suppress(OSError):
                os.write(end, packet)

    def _read(self, file: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.take(os.read(file, LARGEST_PACKET), time.monotonic())


def make_device(namespace: str, address: str) -> int:
    """Make a TUN device in a namespace; returns the file of its other end."""
    file = os.open("/dev/net/tun", os.O_RDWR)
    name = f"slow{os.getpid()}".encode()
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH14x", name, IFF_TUN | IFF_NO_PI))
    inside = ["ip", "-n", namespace]
    for command in (
        ["ip", "link", "set", name.decode(), "netns", namespace],
        [*inside, "link", "set", name.decode(), "name", DEVICE],
        [*inside, "address", "add", f"{address}/{NETWORK}", "dev", DEVICE],
        [*inside, "link", "set", DEVICE, "up"],
    ):
        subprocess.run(command, check=True)
    return file


def main() -> None:
    """Make the devices, say that they are there, and pass packets on."""
    delay, loss, seed, *machines = sys.argv[1:]
    ends = {}
    for machine in machines:
        namespace, _, address = machine.partition("=")
        ends[socket.inet_aton(address)] = make_device(namespace, address)
    print("ready", flush=True)
    SlowLink(ends, float(delay), float(loss), int(seed)).run()


if __name__ == "__main__":
    main()
