"""A process of servers, one for each test that asks for it on stdin.

Each line on stdin is a JSON object, and gets a line on stdout:

    {"open": {"seed": 7, "max_delay": 300.0}}    {"port": 40001}
    {"open": {"seed": 7, "default": "_x"}}       {"refused": "no such control …"}
    {"fault_port": "silent", "of": 40001}        {"kind": "silent", "port": 40002, …}
    {"close": 40001}                             {"closed": 40001}

The process ends when its stdin is closed. Forked children of its parent may hold the
other end of that, so it also ends with the processes whose PIDs are its arguments: its
parent, and others that it shall not outlive.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from threading import Event, Thread
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver

from nbtwisted import steady_clock
from nbtwisted.command_line import raise_open_files
from nbtwisted.gc_tuning import leave_startup_to_itself
from nbtwisted.reactor.timers import run_on_steady_clock
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.ports.fault_ports import CannotOpen, FaultPorts
from nbtwisted.testing.with_rules import server_with_rules

JOURNAL_SIZE = 10_000
"""Requests that each server remembers: tests may look at more than operators."""

BACKLOG = 1024

SECONDS_TO_NOTICE = 0.25
"""At most, until the process ends after its parent."""


class _Dispenser(LineOnlyReceiver):
    """Opens and closes servers on `reactor`, each on a port of its own."""

    delimiter = b"\n"

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._open: dict[int, tuple[Any, DelaySite, FaultPorts]] = {}

    def lineReceived(self, line: bytes) -> None:
        """Open or close a server."""
        asked = json.loads(line)
        if "open" in asked:
            try:
                self._say({"port": self._new(**asked["open"])})
            except ValueError as error:
                self._say({"refused": str(error)})
        elif "fault_port" in asked:
            _, _, fault_ports = self._open[asked["of"]]
            try:
                self._say(asdict(fault_ports.open(asked["fault_port"])))
            except CannotOpen as error:
                self._say({"refused": str(error)})
        else:
            self._end(asked["close"])
            self._say({"closed": asked["close"]})

    def connectionLost(self, reason: Any = None) -> None:
        """Stdin is closed: stop."""
        if self._reactor.running:
            self._reactor.stop()

    def _new(self, **settings: Any) -> int:
        server = server_with_rules(
            clock=IReactorTime(self._reactor),
            journal_size=JOURNAL_SIZE,
            # The gaps between requests are measured by the journal's times.
            unix_time=steady_clock.now,
            **settings,
        )
        site = DelaySite(server, self._reactor)
        factory: Any = site
        listening: Any = IReactorTCP(self._reactor).listenTCP(
            0, factory, BACKLOG, interface="127.0.0.1"
        )
        port: int = listening.getHost().port
        fault_ports = FaultPorts(self._reactor, site, server.fault_ports)
        self._open[port] = (listening, site, fault_ports)
        return port

    def _end(self, port: int) -> None:
        listening, site, fault_ports = self._open.pop(port)
        listening.stopListening()
        fault_ports.close()
        site.abort_connections()

    def _say(self, value: Any) -> None:
        self.sendLine(json.dumps(value).encode())  # type: ignore[no-untyped-call]


def _end_with(parent: int, *others: int) -> None:
    """End the process when one of these processes has ended."""
    # Polling works on every Unix. Linux' PR_SET_PDEATHSIG is about the thread
    # that started the process.
    pause = Event()
    while os.getppid() == parent and all(map(_is_there, others)):
        pause.wait(SECONDS_TO_NOTICE)
    os._exit(1)


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def main() -> None:
    """Run until stdin is closed."""
    # In a thread: a test may make the reactor hang.
    watched = [int(argument) for argument in sys.argv[1:]]
    if watched:
        Thread(target=_end_with, args=watched, daemon=True).start()
    raise_open_files()
    leave_startup_to_itself()
    run_on_steady_clock(reactor)
    StandardIO(_Dispenser(reactor))
    reactor.run()


if __name__ == "__main__":
    main()
