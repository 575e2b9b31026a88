"""The server as its options have it: with files, a recording and fault ports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.options import Options
from nbtwisted.server.ports.fault_ports import CannotOpen, FaultPorts
from nbtwisted.server.recordings.har_file import UnreadableHAR, read_har
from nbtwisted.server.rules.in_force import Origin, Rules
from nbtwisted.server.rules.rule_set import TooManyRules
from nbtwisted.server.service.errors import CannotServe
from nbtwisted.server.service.opening import listen_at, place
from nbtwisted.server.service.service import Service

__all__ = ["Serving"]


class Serving(Service):
    """The server that `nbtwisted serve` runs."""

    options: Options

    def __init__(
        self, options: Options, reactor: Any, say: Callable[[str], None]
    ) -> None:
        super().__init__(options, reactor, say, lenient=options.lenient)
        if options.har is not None:
            _play(options, self.server.rules, say)

    async def open(self) -> list[str]:
        """Open all ports; returns sentences that say where. Raises `CannotServe`."""
        site = DelaySite(self.server, IReactorTime(self._reactor))
        said = []
        for description in self.options.listen:
            named = self.options.named_by["listen"]
            port = await listen_at(self._reactor, description, site, named)
            scheme = "https" if description.startswith("ssl:") else "http"
            said.append(f"serving on {place(scheme, description, port.getHost())}")
        self.open_fault_ports(site)
        return said + self.fault_ports()

    def open_fault_ports(self, site: DelaySite) -> None:
        """Open the fault ports of the options, some of which serve `site`.

        They stay open while the server drains. Raises `CannotServe`.
        """
        options = self.options
        ports = FaultPorts(self._reactor, site, self.server.fault_ports)
        self._reactor.addSystemEventTrigger("during", "shutdown", ports.close)
        for kind, number in options.fault_port:
            try:
                ports.open(kind, options.host, number)
            except CannotOpen as error:
                named = options.named_by["fault_port"]
                raise CannotServe(f"{named}: {error}") from None

    def fault_ports(self) -> list[str]:
        """Sentences that say where the fault ports are."""
        ports = self.server.fault_ports
        return [f"fault port {port.kind} on {port.place}" for port in ports]


def _play(options: Options, rules: Rules, say: Callable[[str], None]) -> None:
    """Have a recording played; raises `CannotServe`."""
    assert options.har is not None
    named = options.named_by["har"]
    try:
        played, remarks = read_har(
            options.har,
            with_times=options.timing == "recorded",
            max_delay=options.max_delay,
        )
        rules.set_origin(Origin.HAR, played)
    except OSError as error:
        raise CannotServe(
            f"{named}: cannot read {options.har}: {error.strerror}"
        ) from None
    except (UnreadableHAR, TooManyRules) as error:
        raise CannotServe(f"{named}: cannot play {options.har}: {error}") from None
    for remark in remarks:
        say(f"{options.har}: {remark}")
