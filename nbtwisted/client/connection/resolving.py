"""Host names to addresses, without Twisted's queue.

Twisted resolves names in a pool of ten threads: ten dead names stop all others, and the
process cannot end until the last look-up has. Here each look-up has a thread of its own
that nothing waits for; a host is looked up once, however many requests ask for it; and
who stops waiting is free at once, though the look-up itself cannot be stopped.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from threading import Thread
from typing import Any, Literal

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, DeferredSemaphore, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads

from nbtwisted.client.errors import NameNotResolved

__all__ = ["Resolver"]

LOOKUPS_AT_ONCE = 64
"""Threads; each takes some 10 KB, and name servers dislike more."""

REMEMBERED = 4096
"""Hosts whose addresses are kept for the next request."""

FRESH = 60.0
"""Seconds, as curl has it (CURLOPT_DNS_CACHE_TIMEOUT)."""

Addresses = tuple[str, ...]


class Resolver:
    """Looks up hosts, and remembers for a while what it found.

    Addresses that are older than `fresh` seconds are used once more, while they are
    looked up again; those of twice that age are not, so who asks then has to wait. In a
    steady run nobody waits but the first. `now` reads seconds.

    `family` is 4 or 6 for those who want addresses of one kind only.
    `getaddrinfo` is called in threads, as `socket.getaddrinfo` is.
    """

    def __init__(
        self,
        reactor: IReactorFromThreads,
        getaddrinfo: Callable[..., list[Any]] = socket.getaddrinfo,
        family: Literal[4, 6] | None = None,
        *,
        fresh: float = FRESH,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reactor = reactor
        self._getaddrinfo = getaddrinfo
        self._family = {None: 0, 4: socket.AF_INET, 6: socket.AF_INET6}[family]
        self._fresh = fresh
        self._now = now
        # With when they were found.
        self._known: dict[str, tuple[Addresses, float]] = {}
        self._waiting: dict[str, list[Deferred[Addresses]]] = {}
        self._turns = DeferredSemaphore(LOOKUPS_AT_ONCE)

    def resolve(self, host: str) -> Deferred[Addresses]:
        """Find the addresses of `host`, the best first; there is at least one.

        Fails with `NameNotResolved`.
        """
        is_four, is_six = isIPAddress(host), isIPv6Address(host)
        if (is_four and self._family == socket.AF_INET6) or (
            is_six and self._family == socket.AF_INET
        ):
            wanted = "6" if is_four else "4"
            return fail(NameNotResolved(f"{host}: expected an IPv{wanted} address"))
        if is_four or is_six:
            return succeed((host,))
        if host in self._known:
            addresses, found_at = self._known[host]
            age = self._now() - found_at
            if age >= self._fresh:
                self._begin(host)
            if age < 2 * self._fresh:
                return succeed(addresses)
        waiting: Deferred[Addresses] = Deferred()
        self._begin(host, waiting)
        return waiting

    def _begin(self, host: str, *waiting: Deferred[Addresses]) -> None:
        """Look it up for whoever waits for it, unless that is under way."""
        if host in self._waiting:
            self._waiting[host] += waiting
        else:
            self._waiting[host] = list(waiting)
            self._turns.acquire().addCallback(lambda _: self._start(host))

    def _start(self, host: str) -> None:
        # A daemon: a look-up that nobody waits for must not keep the process alive.
        thread = Thread(target=self._look_up, args=(host,), daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            self._finish(host, NameNotResolved(f"cannot look up {host!r}: {error}"))

    def _look_up(self, host: str) -> None:
        """Runs in the thread."""
        found: Addresses | NameNotResolved
        try:
            entries = self._getaddrinfo(
                host, None, family=self._family, type=socket.SOCK_STREAM
            )
            # The kernel would not take the scope behind a "%" without more ado.
            found = tuple(dict.fromkeys(entry[4][0] for entry in entries))
        # Mostly OSError, but nobody would hear of another error in this thread.
        except Exception as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            found = NameNotResolved(f"cannot find host {host!r}: {reason}")
        self._reactor.callFromThread(self._finish, host, found)

    def _finish(self, host: str, found: Addresses | NameNotResolved) -> None:
        if not isinstance(found, NameNotResolved):
            self._known.pop(host, None)
            if len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[host] = (found, self._now())
        for waiting in self._waiting.pop(host):
            if isinstance(found, NameNotResolved):
                # Each gets one of its own, to write its URL and its timing into.
                waiting.errback(NameNotResolved(*found.args))
            else:
                waiting.callback(found)
        self._turns.release()
