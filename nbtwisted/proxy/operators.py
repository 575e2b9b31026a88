"""What operators see and do of the links of TCP mode: `/__admin/links`, and others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from nbtwisted.numeral import parse_whole_number
from nbtwisted.proxy.link_totals import totals_of
from nbtwisted.proxy.stream.listener import State, StreamProxy
from nbtwisted.proxy.stream.ruled import RuledStages
from nbtwisted.proxy.stream.viewed import ViewedLinks
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.model.behaviour import Behaviour, refusal
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.listing import listed
from nbtwisted.server.routes.parameters import Refused, parameter
from nbtwisted.server.routes.router import Server, route

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

__all__ = ["LinkedServer", "StreamServer"]


class LinkedServer(DelayServer):
    """A server of operators who see links, too: those of streams beside it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Those of Toxiproxy's API are deleted without a word.
        self._proxies = WeakValueDictionary[str, StreamProxy]()

    @property
    def proxies(self) -> Mapping[str, StreamProxy]:
        """Those that are not closed, by the names of their ports."""
        closed = [n for n, it in self._proxies.items() if it.state is State.CLOSED]
        for name in closed:
            # It may be gone by itself.
            self._proxies.pop(name, None)
        return self._proxies

    def show_links(self) -> None:
        """Have viewers see lanes of links, also as long as there are none."""
        self.links = ViewedLinks(
            lambda: [(name, it.journal) for name, it in self.proxies.items()]
        )

    def add(self, name: str, proxy: StreamProxy) -> None:
        """Show the links of a proxy that is about to open; operators see its name."""
        _ = self.proxies
        self._proxies[name] = proxy

    def entries(self, since: int, rule: str | None) -> Iterator[dict[str, Any]]:
        """The links whose number is larger, port by port, as JSON values.

        With the name of a `rule`, those on which it acts.
        """
        for name, proxy in self.proxies.items():
            for entry in proxy.journal.entries(since=since):
                if rule is None or entry.has_rule(rule):
                    yield {**entry.as_json(), **({"port": name} if name else {})}


class StreamServer(LinkedServer):
    """Operators' server of proxies of streams alone: it has no requests."""

    has_requests = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._by_rules: StreamProxy | None = None
        self._stages: RuledStages | None = None
        self.show_links()

    def rule(self, proxy: StreamProxy) -> None:
        """Have the rules act on the links of a proxy."""
        self._by_rules = proxy
        # Whoever looks at rules sees on how many links each acted, not requests.
        self.in_flight.journal.totals.by_rule = proxy.journal.by_rule
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Count steps of rules from the first link that comes."""
        self.stop()
        if self._by_rules is not None:
            clock, rules = self.in_flight.clock, self.rules
            self._stages = RuledStages(clock, rules, self._by_rules)
            self._stages.begin()

    def stop(self) -> None:
        """Leave the stages as they are from now on."""
        if self._stages is not None:
            self._stages.stop()
            self._stages = None

    def reset(self) -> int:
        """Forget all links, and end those that are open; returns how many."""
        open_links = [link for each in self.proxies.values() for link in each.links]
        for link in open_links:
            link.stop()
        for proxy in self.proxies.values():
            proxy.journal.reset()
        self.rules.reset()
        self._begin_anew()
        return len(open_links)

    def stats(self) -> dict[str, Any]:
        """The totals since the last reset, as JSON values."""
        return {
            **totals_of(self.proxies.values()).as_json(),
            "draining": self.in_flight.is_draining,
            "seed": self.seed,
        }

    def totals(self) -> Collector:
        """The totals, as Prometheus' library takes them."""
        from nbtwisted.proxy.link_metrics import LinkCollector

        return LinkCollector(
            lambda: totals_of(self.proxies.values()), self.access_log_lost
        )


@route("/__admin/links")
def links(server: Server, request: Request) -> Behaviour:
    """The journal of links: those that are open, and the last that are over."""
    if not isinstance(server, LinkedServer) or server.links is None:
        expected = "nbtwisted proxy tcp://host:port, or --toxiproxy-api"
        raise Refused(refusal(404, "there are no links", expected=expected))
    since = parameter(request, "since", _parse_number, 0)
    rule = parameter(request, "rule", str, None)
    return listed("links", lambda: server.entries(since, rule))


def _parse_number(text: str) -> int:
    try:
        return parse_whole_number(text)
    except ValueError:
        raise ValueError("the id of a link, such as 7") from None
