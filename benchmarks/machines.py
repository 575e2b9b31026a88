"""Machines of a network that is slow and loses packets: namespaces of this one.

Needs root, and `ip` of iproute2.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.slow_link import DEVICE, NETWORK

__all__ = ["Impossible", "Link", "Machine", "network"]

PREFIX = "nbtwisted"
BRIDGE = "bridge0"


class Impossible(Exception):
    """There can be no such network here; the text says why."""


@dataclass(frozen=True)
class Link:
    """How far the machines are from one another.

    delay   seconds that a packet takes, each way
    loss    the share of packets that never come
    seed    of those
    """

    delay: float
    loss: float
    seed: int


@dataclass
class Machine:
    """A network namespace with one address, and programs that run in it."""

    namespace: str
    address: str
    log: Path
    """Where its programs print to."""
    _programs: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(
        self,
        command: Sequence[str],
        *,
        stdout: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a program, which leads a process group of its own."""
        with self.log.open("ab") as output:
            program = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *command],
                stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout,
                stderr=output,
                env={**os.environ, **(environment or {})},
                text=True,
                start_new_session=True,
            )
        self._programs.append(program)
        return program

    def run(self, command: Sequence[str], timeout: float) -> tuple[int, str]:
        """Run a program; returns its exit code, and what it has printed."""
        program = self.start(command, stdout=subprocess.PIPE)
        try:
            printed, _ = program.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            program.kill()
            printed, _ = program.communicate()
            return -signal.SIGKILL, printed
        return program.returncode, printed

    def said(self) -> str:
        """The end of what its programs have printed."""
        return self.log.read_text(errors="replace")[-3000:].strip()

    def processes(self) -> list[int]:
        """The ids of all that runs there."""
        return _processes(self.namespace)

    def stop(self) -> None:
        """End all that runs there."""
        _end(self.namespace)
        for program in self._programs:
            program.wait()
            if program.stdout is not None:
                program.stdout.close()


@contextlib.contextmanager
def network(names: Sequence[str], link: Link, folder: Path) -> Iterator[list[Machine]]:
    """Machines that reach one another; raises `Impossible`.

    What they run is ended with the context, and so are they.
    """
    _look_for_what_it_needs()
    _sweep()
    machines = [
        Machine(
            f"{PREFIX}-{os.getpid()}-{name}", f"10.19.0.{n}", folder / f"{name}.log"
        )
        for n, name in enumerate(names, 1)
    ]
    with contextlib.ExitStack() as stack:
        for machine in machines:
            stack.enter_context(_namespace(machine.namespace))
        kind = stack.enter_context(_linked(machines, link))
        print(
            f"{len(machines)} machines, {link.delay * 1000:g} ms and {link.loss:.0%} "
            f"loss between them each way, by {kind}",
            flush=True,
        )
        for machine in machines:
            stack.callback(machine.stop)
        yield machines


def _look_for_what_it_needs() -> None:
    if os.geteuid() != 0:
        raise Impossible("expected to be run by root, who may make network namespaces")
    if shutil.which("ip") is None:
        raise Impossible("no `ip`: expected iproute2 (apt-get install iproute2)")


@contextlib.contextmanager
def _namespace(name: str) -> Iterator[None]:
    # A name that something runs under goes with that, too.
    try:
        _ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        raise Impossible(f"no network namespace: {error.stderr.strip()}") from None
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        _end(name)
        _ip("netns", "del", name)


@contextlib.contextmanager
def _linked(machines: Sequence[Machine], link: Link) -> Iterator[str]:
    """By the kernel, if it can make packets late, else by a program of ours."""
    with _namespace(f"{PREFIX}-{os.getpid()}-link") as _:
        if _bridge(machines, link):
            yield "the kernel's netem"
            return
    if not os.path.exists("/dev/net/tun"):
        raise Impossible("neither netem nor /dev/net/tun: nothing makes packets late")
    command = [sys.executable, "-m", "benchmarks.slow_link"]
    command += [str(link.delay), str(link.loss), str(link.seed)]
    command += [f"{each.namespace}={each.address}" for each in machines]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            if program.stdout.readline() != "ready\n":
                raise Impossible("the link has not begun")
            yield "TUN devices and a program (no netem in this kernel)"
        finally:
            program.terminate()


def _bridge(machines: Sequence[Machine], link: Link) -> bool:
    """Join them by a bridge and netem; returns whether that can be."""
    middle = f"{PREFIX}-{os.getpid()}-link"
    delays = ("netem", "delay", f"{link.delay * 1000:g}ms", "loss", f"{link.loss:%}")
    try:
        _ip("-n", middle, "link", "add", BRIDGE, "type", "bridge")
        _tc(middle, BRIDGE, *delays)
        _ip("-n", middle, "link", "set", BRIDGE, "up")
    except (OSError, subprocess.CalledProcessError):
        return False
    # It was only to see whether there is netem: each machine has its own.
    _ip("netns", "exec", middle, "tc", "qdisc", "del", "dev", BRIDGE, "root")
    for number, machine in enumerate(machines):
        inside, port = machine.namespace, f"port{number}"
        address = f"{machine.address}/{NETWORK}"
        _ip(
            *("-n", inside, "link", "add", DEVICE, "type", "veth"),
            *("peer", "name", port, "netns", middle),
        )
        _ip("-n", middle, "link", "set", port, "master", BRIDGE, "up")
        _ip("-n", inside, "address", "add", address, "dev", DEVICE)
        _ip("-n", inside, "link", "set", DEVICE, "up")
        _tc(inside, DEVICE, *delays)
    return True


def _tc(namespace: str, device: str, *discipline: str) -> None:
    """Have a device's packets handled so."""
    command = ("tc", "qdisc", "add", "dev", device, "root", *discipline)
    _ip("netns", "exec", namespace, *command)


def _ip(*arguments: str) -> str:
    command = ["ip", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _processes(namespace: str) -> list[int]:
    return [int(word) for word in _ip("netns", "pids", namespace).split()]


def _end(namespace: str) -> None:
    for process in _processes(namespace):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _sweep() -> None:
    """Remove what a run has left that was killed."""
    for line in _ip("netns", "list").splitlines():
        name = line.split()[0]
        prefix, _, rest = name.partition("-")
        maker = rest.partition("-")[0]
        if prefix == PREFIX and not os.path.exists(f"/proc/{maker}"):
            _end(name)
            _ip("netns", "del", name)
