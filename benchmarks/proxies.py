"""Sends requests to a server that misbehaves, through real proxies.

`python -m benchmarks.proxies`, or `make proxies`. squid, mitmproxy and microsocks stand
before the server of `make hostile`, for HTTP and for HTTPS. Through each of them goes
every kind of misbehaviour, alone on its connection, and then a number at random. In
place of a proxy, that server is spoken to at last. Each request has a second. The
promises are that

- it ends by then with an answer (a proxy's own, too) or with an error that has a name;
- the reactor has nothing of ours when all have ended;
- what a proxy only passes on (TLS in a tunnel, anything by SOCKS) ends as it does
  without the proxy; but for resets, which may reach us as an end or cut off more, and
  for a server that speaks first, because it depends on who is faster.

Exits with 1 if that is not kept, and with 2 if a proxy is not installed.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from twisted.internet.task import react

from benchmarks.hostile import AT_ONCE, FOLLOWED, PLAIN, Outcome, attack, how_they_ended
from benchmarks.misbehaving import KINDS, Addresses, misbehaving
from benchmarks.proxy_programs import Missing, Program, microsocks, mitmproxy, squid
from nbtwisted.client.proxies import Proxies
from nbtwisted.client.request.getting import How, TLSOptions
from nbtwisted.client.result import Result
from nbtwisted.command_line import raise_open_files
from nbtwisted.gc_tuning import leave_startup_to_itself

SCHEMES = ("http", "https")
ATTEMPTS = 3
"""How often what seems to be different through a proxy is looked at."""
FEW_AT_ONCE = 10
"""mitmproxy is slow: of more, most would not get through it in time."""


@dataclass(frozen=True)
class Route:
    """A way to the server, and what is sent on it."""

    name: str
    urls: Sequence[str]
    proxy: str | None = None
    """Its URL."""
    authority: str | None = None
    """The file of whom to trust."""
    like: str | None = None
    """The name of an earlier one, as whose requests these have to end."""
    is_random: bool = False
    at_once: int = AT_ONCE

    def how(self) -> How:
        """The options that make requests take it."""
        how = (FOLLOWED if self.is_random else PLAIN).copy()
        how["tls"] = TLSOptions(authorities=self.authority)
        how["proxies"] = Proxies.read(self.proxy or "")
        return how


def routes(
    addresses: Addresses,
    squid: Program,
    mitmproxy: Program,
    microsocks: Program,
    number: int,
) -> Iterator[Route]:
    """All of them, in the order in which they are to be taken."""
    authority = addresses.authority
    own = str(mitmproxy.authority)
    for scheme in SCHEMES:
        told = [addresses.base(scheme, kind.port) + kind.path for kind in KINDS]
        base = addresses.base(scheme, "chance")
        chance = [f"{base}/{n}" for n in range(number)]
        tunnel = scheme if scheme == "https" else None
        for name, proxy, trusted, like in (
            (scheme, None, authority, None),
            (f"{scheme} squid", squid.url("http"), authority, tunnel),
            (f"{scheme} microsocks", microsocks.url("socks5h"), authority, scheme),
        ):
            yield Route(name, told, proxy, trusted, like)
            yield Route(f"{name} at random", chance, proxy, trusted, is_random=True)
        for speaks in "http", "socks5h":
            name, proxy = f"{scheme} mitmproxy {speaks}", mitmproxy.url(speaks)
            yield Route(name, told, proxy, own, at_once=FEW_AT_ONCE)
            yield Route(
                f"{name} at random",
                chance[: number // 4],
                proxy,
                own,
                is_random=True,
                at_once=FEW_AT_ONCE,
            )
        # The server itself, in place of a proxy.
        told = [f"{scheme}://{kind.host}/" for kind in KINDS]
        bad = addresses.base("http", "told")
        yield Route(f"{scheme} bad proxy", told, bad, authority)
        chance = [f"{scheme}://{n}.test/" for n in range(number)]
        for port, speaks in product(("chance", "first"), ("http", "socks5h")):
            bad = addresses.base("http", port).replace("http", speaks)
            name = f"{scheme} bad {speaks} proxy, {port}"
            yield Route(name, chance, bad, authority, is_random=True)


def ending(result: Result) -> str:
    """How a request ended, without figures that are not the same each time."""
    if result.error is None:
        assert result.response is not None
        return f"{result.response.status}, {len(result.response.body)} bytes"
    message = re.sub(r"\d+(\.\d+)?", "N", str(result.error))
    return f"{type(result.error).__name__}: {result.error.phase}: {message}"


async def send(
    reactor: Any, route: Route, urls: Sequence[str], seed: int = 1
) -> Outcome:
    """Send requests on a route."""
    return await attack(
        reactor,
        urls,
        seed=seed,
        at_once=route.at_once,
        keeps_alive=route.is_random,
        **route.how(),
    )


async def differences(
    reactor: Any, other: Route, route: Route, outcomes: tuple[Outcome, Outcome]
) -> Sequence[str]:
    """What of the kinds does not end as it does on another route.

    What seems to be different is sent again: on a busy machine it may have been late.
    `outcomes` are those of the first time.
    """
    suspects = [
        index
        for index, kind in enumerate(KINDS)
        if kind.done != "reset" and kind.port != "first"
    ]
    ends = [[ending(each.results[index]) for index in suspects] for each in outcomes]
    for attempt in range(ATTEMPTS):
        if attempt:
            ends = []
            for each in other, route:
                urls = [each.urls[index] for index in suspects]
                outcome = await send(reactor, each, urls)
                ends.append([ending(outcome.results[n]) for n in range(len(urls))])
        found = {
            index: f"{KINDS[index]}: {is_}; without a proxy {was}"
            for index, was, is_ in zip(suspects, *ends, strict=True)
            if was != is_
        }
        suspects = [*found]
    return [*found.values()]


async def take(
    reactor: Any, all_routes: Sequence[Route], args: argparse.Namespace
) -> bool:
    """Take all routes one after another; whether all promises were kept."""
    is_good = True
    taken: dict[str, tuple[Route, Outcome]] = {}
    for route in all_routes:
        outcome = await send(reactor, route, route.urls, args.seed)
        taken[route.name] = route, outcome
        ended = ", ".join(
            f"{number} {name}" for name, number in how_they_ended(outcome).most_common()
        )
        print(f"{route.name}: {ended}\n    {outcome}", flush=True)
        if args.kinds and not route.is_random:
            for index, kind in enumerate(KINDS):
                print(f"    {kind}: {ending(outcome.results[index])}")
        is_good &= outcome.is_good(args.late)
        if route.like is not None:
            other, its = taken[route.like]
            for each in await differences(reactor, other, route, (its, outcome)):
                is_good = False
                print(f"    DIFFERENT: {each}")
    return is_good


def main() -> None:
    """Raises `SystemExit`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--number", type=int, default=2000, help="requests at random, of each route"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all that is random")
    parser.add_argument(
        "--late", type=float, default=0.1, help="seconds behind a deadline, at most"
    )
    parser.add_argument("--kinds", action="store_true", help="say how each kind ended")
    args = parser.parse_args()
    raise_open_files()
    leave_startup_to_itself()
    with contextlib.ExitStack() as stack:
        addresses = stack.enter_context(misbehaving(args.seed))
        try:
            programs = (
                stack.enter_context(squid()),
                stack.enter_context(mitmproxy(addresses.authority)),
                stack.enter_context(microsocks()),
            )
        except Missing as missing:
            print(f"proxies: {missing}", file=sys.stderr)
            sys.exit(2)
        all_routes = [*routes(addresses, *programs, args.number)]

        async def run(reactor: Any) -> None:
            is_good = await take(reactor, all_routes, args)
            for program in programs:
                if not program.runs:
                    is_good = False
                    print(f"a proxy has ended: {program.said()}")
            sys.exit(0 if is_good else 1)

        react(run)


if __name__ == "__main__":
    main()
