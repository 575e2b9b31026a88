"""Behind a proxy that speaks the PROXY protocol, on both channels."""

from __future__ import annotations

import re
import struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory

from nbtwisted.server.access_log import line
from nbtwisted.server.delay_server import DelayServer
from tests.guard import ClockCase
from tests.server.in_memory import Visit, site_of

PROXY = "10.9.9.9"


def v1(source: str, kind: str = "TCP4") -> bytes:
    return f"PROXY {kind} {source} 10.0.0.1 40000 8000\r\n".encode()


def v2(source: bytes, *, command: int = 1) -> bytes:
    beginning = b"\r\n\r\n\x00\r\nQUIT\n"
    addresses = source + b"\x0a\x00\x00\x01" + struct.pack("!2H", 40000, 8000)
    head = struct.pack("!BBH", 0x20 | command, 0x11, len(addresses))
    return beginning + head + addresses


UNKNOWN = v1("::1", "UNKNOWN")
LOCAL = v2(b"\x7f\x00\x00\x01", command=0)
CHANNELS = ("ours", "twisted")


def asking(target: str, method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


class BehindAProxyTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.lines: list[str] = []

    def site(self, channel: str, **settings: Any) -> Any:
        server = DelayServer(
            clock=self.clock,
            now=self.clock.seconds,
            seed=7,
            on_end=lambda entry: self.lines.append(line(entry)),
            **settings,
        )
        return site_of(server, Clock(), channel)

    def proxied(self, site: Any, *sent: bytes, peer: str = PROXY) -> Visit:
        wrapped: Any = HAProxyWrappingFactory(site)
        visit = Visit(self.clock, site=wrapped, peer=peer)
        self.addCleanup(visit.leave)
        for data in sent:
            visit.send(data)
        return visit

    def test_a_server_that_drains_sees_that_its_clients_have_closed(self) -> None:
        for channel in CHANNELS:
            site = self.site(channel)
            visit = self.proxied(site, v1("10.1.1.1"), asking("/delay/1"))
            drained = Deferred.fromCoroutine(site.in_flight.drain())
            self.clock.advance(1)
            self.assertEqual(visit.reply().status, 200)
            self.assertNoResult(drained)
            visit.leave()
            self.clock.advance(0.01)
            self.successResultOf(drained)

    def test_each_client_gets_its_own_answer(self) -> None:
        for channel in CHANNELS:
            site = self.site(channel)
            # Those that are known are asked for again, by each.
            for source in ["10.1.1.1", "10.2.2.2", "10.1.1.1", "10.2.2.2"]:
                for target in ["/ip", "/get?a=1", "/?_delay=0", "/delay/1"]:
                    for head in [v1(source), v2(bytes(map(int, source.split("."))))]:
                        # In one piece with the request, or before it.
                        for sent in [
                            [head + asking(target)],
                            [head, asking(target)],
                            [head[:20], head[20:] + asking(target)],
                        ]:
                            visit = self.proxied(site, *sent)
                            self.clock.advance(1)
                            reply = visit.reply()
                            self.assertEqual(reply.status, 200)
                            if target != "/?_delay=0":
                                self.assertEqual(reply.json()["origin"], source)
            entries = list(site.in_flight.journal.entries())
            self.assertEqual(len(entries), 4 * 4 * 2 * 3)
            self.assertEqual({e.peer for e in entries}, {"10.1.1.1", "10.2.2.2"})
            self.assertEqual(len(self.lines), len(entries))
            for written in self.lines:
                self.assertRegex(written, r"^10\.(1\.1\.1|2\.2\.2) ")
            self.lines.clear()

    def test_with_the_address_that_is_not_told(self) -> None:
        for channel in CHANNELS:
            site = self.site(channel)
            for head in [UNKNOWN, LOCAL]:
                for _ in range(2):
                    visit = self.proxied(site, head + asking("/ip"))
                    self.assertEqual(visit.reply().json(), {"origin": PROXY})

    def test_what_is_no_request_is_the_clients_too(self) -> None:
        site = self.site("ours")
        visit = self.proxied(site, v1("10.1.1.1"), b"nonsense\r\n\r\n")
        self.assertEqual(visit.reply().status, 400)
        (entry,) = site.in_flight.journal.entries()
        self.assertEqual(entry.peer, "10.1.1.1")

    def test_nobody_is_on_this_machine(self) -> None:
        loopback_v6 = v1("::1", "TCP6")
        for channel in CHANNELS:
            site = self.site(channel)
            for head in [
                v1("127.0.0.1"),
                loopback_v6,
                v2(b"\x7f\0\0\1"),
                UNKNOWN,
                LOCAL,
            ]:
                for peer in ["127.0.0.1", PROXY, "unix"]:
                    for target, method in [
                        ("/__admin/requests", "GET"),
                        ("/__admin/reset", "POST"),
                    ]:
                        visit = self.proxied(
                            site, head, asking(target, method), peer=peer
                        )
                        self.assertEqual(visit.reply(method).status, 401)

    def test_who_shows_the_token_is_let_in(self) -> None:
        for channel in CHANNELS:
            site = self.site(channel, admin_token="sesame")
            asked = asking("/__admin/stats")
            token = b"\r\nAuthorization: Bearer sesame\r\n\r\n"
            visit = self.proxied(site, v1("10.1.1.1"), asked[:-4] + token)
            self.assertEqual(visit.reply().status, 200)

    def test_what_the_proxy_says_is_fit_for_the_log(self) -> None:
        for channel in CHANNELS:
            self.proxied(self.site(channel), v1("\x1b[2J") + asking("/get"))
        self.assertEqual(len(self.lines), 2)
        for written in self.lines:
            self.assertIsNone(re.search(r"[^ -~]", written), written)
