"""docs/architecture.md says which functions a proxied request goes through."""

from __future__ import annotations

from tests.proxy.http.in_memory import ProxyCase, answer
from tests.walking import calls_of, walks


class WalkTests(ProxyCase):
    def setUp(self) -> None:
        super().setUp()
        self.proxy()

    def plain(self) -> None:
        self.visit().get("/")
        self.upstream().answer(answer())

    def long(self) -> None:
        self.visit().get("/")
        upstream = self.upstream()
        upstream.answer(answer(b"long")[:-1])
        upstream.answer(b"g")

    def upload(self) -> None:
        visit = self.visit()
        visit.send(b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\na")
        self.upstream()
        visit.send(b"bc")

    def instead(self) -> None:
        self.visit().get("/", "X-Nbtwisted-Status: 503")

    def unanswered(self) -> None:
        self.visit().get("/")
        self.upstream().close()

    def switched(self) -> None:
        visit = self.visit()
        visit.get("/", "Connection: Upgrade", "Upgrade: websocket")
        upstream = self.upstream()
        upstream.answer(
            b"HTTP/1.1 101 Switching Protocols\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        visit.send(b"there")
        upstream.answer(b"back")

    def test_a_request_of_each_kind_goes_the_way_that_the_page_shows(self) -> None:
        kinds = walks("proxy")
        self.assertEqual(len(kinds), 6)
        for kind, _, stops in kinds:
            with self.subTest(kind):
                # Without a connection that another kept.
                self._end()
                self.proxy()
                calls = calls_of("", getattr(self, kind))
                at = -1
                for file, functions in stops:
                    for name in functions:
                        # Some are called more than once on the way.
                        self.assertIn((file, name), calls[at + 1 :], kind)
                        at = calls.index((file, name), at + 1)
