"""Look-ups in threads, with a `getaddrinfo` of the test's own."""

from __future__ import annotations

import socket
from threading import Event, Lock
from typing import Any

from twisted.internet.defer import CancelledError, DeferredList
from twisted.internet.task import Clock, deferLater

from nbtwisted.client.connection import resolving
from nbtwisted.client.connection.resolving import LOOKUPS_AT_ONCE, Resolver
from nbtwisted.client.errors import NameNotResolved
from tests.guard import ReactorCase


class ResolverTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.lock = Lock()
        self.go_on = Event()
        self.go_on.set()
        # Whatever a test holds back must not outlive it.
        self.addCleanup(self.go_on.set)
        self.resolver = Resolver(self.reactor, self.getaddrinfo)

    def getaddrinfo(
        self, host: str, port: None, *, family: int, type: int
    ) -> list[Any]:
        with self.lock:
            self.asked.append(host)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.go_on.wait(20)
        with self.lock:
            self.at_once -= 1
        if host.startswith("nope"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = ["::1", "127.0.0.1", "::1"]
        return [(0, type, 6, "", (address, 0)) for address in addresses]

    async def test_each_address_once_and_in_order(self) -> None:
        self.assertEqual(await self.resolver.resolve("host"), ("::1", "127.0.0.1"))

    async def test_an_address_is_not_looked_up(self) -> None:
        self.assertEqual(await self.resolver.resolve("10.0.0.1"), ("10.0.0.1",))
        self.assertEqual(await self.resolver.resolve("::1"), ("::1",))
        self.assertEqual(self.asked, [])

    async def test_a_host_is_looked_up_once(self) -> None:
        self.go_on.clear()
        waiting = [self.resolver.resolve("host") for _ in range(10)]
        self.go_on.set()
        for each in waiting:
            await each
        await self.resolver.resolve("host")
        self.assertEqual(self.asked, ["host"])

    async def test_addresses_grow_old(self) -> None:
        found = [["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"], []]

        def getaddrinfo(*_: object, **__: object) -> list[Any]:
            addresses = found.pop(0)
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(0, 0, 6, "", (address, 0)) for address in addresses]

        clock = Clock()
        resolver = Resolver(self.reactor, getaddrinfo, fresh=1.0, now=clock.seconds)

        async def asked_again() -> None:
            while "host" in resolver._waiting:
                await deferLater(self.reactor, 0.001)

        self.assertEqual(await resolver.resolve("host"), ("10.0.0.1",))
        clock.advance(0.9)
        self.assertEqual(self.successResultOf(resolver.resolve("host")), ("10.0.0.1",))
        self.assertEqual(len(found), 3)
        # Nobody waits for what is looked up again.
        clock.advance(0.2)
        for _ in range(3):
            again = self.successResultOf(resolver.resolve("host"))
            self.assertEqual(again, ("10.0.0.1",))
        await asked_again()
        self.assertEqual(self.successResultOf(resolver.resolve("host")), ("10.0.0.2",))
        # But for what is too old.
        clock.advance(2.1)
        waiting = resolver.resolve("host")
        self.assertNoResult(waiting)
        self.assertEqual(await waiting, ("10.0.0.3",))
        # A name that is gone is known to be so when its addresses are too old.
        clock.advance(1.1)
        self.assertEqual(self.successResultOf(resolver.resolve("host")), ("10.0.0.3",))
        await asked_again()
        found.append([])
        clock.advance(1.0)
        with self.assertRaises(NameNotResolved):
            await resolver.resolve("host")
        self.assertEqual(found, [])

    async def test_a_failure_is_each_ones_own_and_not_remembered(self) -> None:
        self.go_on.clear()
        waiting = [self.resolver.resolve("nope") for _ in range(2)]
        self.go_on.set()
        errors = []
        for each in waiting:
            try:
                await each
            except NameNotResolved as error:
                errors.append(error)
        self.assertEqual(len({id(error) for error in errors}), 2)
        self.assertEqual(
            str(errors[0]), "cannot find host 'nope': Name or service not known"
        )
        with self.assertRaises(NameNotResolved):
            await self.resolver.resolve("nope")
        self.assertEqual(self.asked, ["nope", "nope"])

    async def test_who_stops_waiting_is_free_at_once(self) -> None:
        self.go_on.clear()
        leaving = self.resolver.resolve("host")
        staying = self.resolver.resolve("host")
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.go_on.set()
        self.assertEqual(await staying, ("::1", "127.0.0.1"))

    async def test_a_look_up_that_cannot_even_start(self) -> None:
        class NoThread:
            def __init__(self, **_: object) -> None: ...

            def start(self) -> None:
                raise RuntimeError("can't start new thread")

        patch = self.patch(resolving, "Thread", NoThread)
        with self.assertRaises(NameNotResolved):
            await self.resolver.resolve("host")
        patch.restore()
        self.assertEqual(await self.resolver.resolve("host"), ("::1", "127.0.0.1"))

    async def test_an_error_that_nobody_thought_of(self) -> None:
        self.resolver = Resolver(self.reactor, lambda *_, **__: [()])
        with self.assertRaises(NameNotResolved):
            await self.resolver.resolve("host")

    async def test_threads_are_bounded(self) -> None:
        self.go_on.clear()
        hosts = [f"host{n}" for n in range(LOOKUPS_AT_ONCE + 20)]
        waiting = DeferredList([self.resolver.resolve(host) for host in hosts])
        self.go_on.set()
        results = await waiting
        self.assertTrue(all(success for success, _ in results))
        self.assertLessEqual(self.most_at_once, LOOKUPS_AT_ONCE)
        self.assertEqual(sorted(self.asked), sorted(hosts))

    async def test_memory_is_bounded(self) -> None:
        self.patch(resolving, "REMEMBERED", 2)
        for host in ["a", "b", "c", "c", "b", "a"]:
            await self.resolver.resolve(host)
        self.assertEqual(self.asked, ["a", "b", "c", "a"])
