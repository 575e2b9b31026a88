"""A process of servers and proxies, for the tests that ask for them on stdin.

Each line on stdin is a JSON object, and gets a line on stdout:

    {"open": {"seed": 7, "max_delay": 300.0}}        {"port": 40001}
    {"open": {"seed": 7, "default": "_x"}}           {"refused": "no such control …"}
    {"fault_port": "silent", "of": 40001}            {"port": 40002, …}
    {"proxy": {"upstream": "tcp://a:1", "seed": 7}}  {"port": 40003, …}
    {"close": 40001}                                 {"closed": 40001}

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
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from nbtwisted.command_line import raise_open_files
from nbtwisted.gc_tuning import leave_startup_to_itself
from nbtwisted.reactor.timers import run_on_steady_clock
from nbtwisted.server.ports.fault_ports import CannotOpen
from nbtwisted.testing.opened import Opened, OpenedServer

_logger = Logger(namespace="nbtwisted")

SECONDS_TO_NOTICE = 0.25
"""At most, until the process ends after its parent."""


class _Dispenser(LineOnlyReceiver):
    """Opens and closes servers on `reactor`, each on a port of its own."""

    delimiter = b"\n"

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._open: dict[int, Opened] = {}

    def lineReceived(self, line: bytes) -> None:
        """Open or close a server or a proxy."""
        asked = json.loads(line)
        done = Deferred.fromCoroutine(self._do(asked))
        done.addErrback(self._refuse).addCallback(self._say).addErrback(self._fail)

    async def _do(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Returns the answer; raises `ValueError` and `CannotOpen`."""
        if "open" in asked:
            return await self._begin(OpenedServer(self._reactor, **asked["open"]))
        if "proxy" in asked:
            # It takes 0.1 s to import.
            from nbtwisted.testing.opened_proxies import opened_proxy

            return await self._begin(opened_proxy(self._reactor, **asked["proxy"]))
        if "fault_port" in asked:
            server = self._open[asked["of"]]
            assert isinstance(server, OpenedServer)
            return asdict(server.open_fault_port(asked["fault_port"]))
        self._open.pop(asked["close"]).close()
        return {"closed": asked["close"]}

    async def _begin(self, opened: Opened) -> dict[str, Any]:
        ports = await opened.open()
        self._open[ports["port"]] = opened
        return ports

    def _refuse(self, failure: Failure) -> dict[str, Any]:
        failure.trap(ValueError, CannotOpen)
        return {"refused": str(failure.value)}

    def _fail(self, failure: Failure) -> None:
        _logger.failure("what was asked for cannot be done", failure)
        self._reactor.stop()

    def connectionLost(self, reason: Any = None) -> None:
        """Stdin is closed: stop."""
        if self._reactor.running:
            self._reactor.stop()

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
