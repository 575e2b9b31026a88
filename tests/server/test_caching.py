"""The paths for caches, in memory. What httpbin's tests expect of them is elsewhere."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from time import time

from tests.guard import ClockCase
from tests.server.every_channel import EveryChannelCase
from tests.server.in_memory import CHANNEL, Reply, Visit


class CacheTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.site = Visit(self.clock, channel=CHANNEL).site

    def ask(self, *headers: str, query: str = "") -> Reply:
        visit = Visit(self.clock, site=self.site)
        visit.get(f"/cache{query}", *headers)
        return visit.reply()

    def test_each_answer_has_validators_of_its_own(self) -> None:
        first, second = self.ask(), self.ask()
        self.assertEqual(first.json()["url"], "http://test/cache")
        self.assertRegex(first.headers["etag"], '^"[0-9a-f]{32}"$')
        self.assertNotEqual(first.headers["etag"], second.headers["etag"])
        changed = parsedate_to_datetime(first.headers["last-modified"]).timestamp()
        self.assertApproximates(changed, time(), 10)

    def test_whoever_has_an_answer_keeps_it(self) -> None:
        for given in [
            "If-None-Match: x",
            "If-Modified-Since: never",
            "If-None-Match: *",
        ]:
            reply = self.ask(given)
            self.assertEqual((reply.status, reply.body), (304, b""))
            self.assertNotIn("content-type", reply.headers)

    def test_if_match(self) -> None:
        self.assertEqual(self.ask('If-Match: "x"').status, 412)
        self.assertEqual(self.ask("If-Match: *").status, 200)

    def test_an_etag_that_is_asked_for(self) -> None:
        reply = self.ask(query='?_header=ETag:"a"')
        self.assertEqual(reply.headers["etag"], '"a"')
        self.assertIn("last-modified", reply.headers)


class LifetimeTests(EveryChannelCase):
    def test_seconds(self) -> None:
        for n in [0, 60, 2147483648]:
            reply = self.ask(f"/cache/{n}")
            self.assertEqual(reply.headers["cache-control"], f"public, max-age={n}")
            self.assertEqual(reply.json()["url"], f"http://test/cache/{n}")

    def test_unreadable(self) -> None:
        for n in ["-1", "x", "1.5", "2147483649", "9" * 5000]:
            reply = self.ask(f"/cache/{n}")
            self.assertEqual((reply.status, reply.json()["control"]), (400, "n"))


class ETagTests(EveryChannelCase):
    def test_unreadable(self) -> None:
        for tag in ["%22a%22", "a%20b", "a%0d%0aX:y", "%C3%A9", "%00"]:
            reply = self.ask(f"/etag/{tag}")
            self.assertEqual((reply.status, reply.json()["control"]), (400, "etag"))

    def test_if_match_is_looked_at_first(self) -> None:
        # RFC 9110, 13.2.2.
        given = ["If-Match: other", "If-None-Match: abc"]
        self.assertEqual(self.ask("/etag/abc", *given).status, 412)

    def test_weak_tags_do_not_match_strongly(self) -> None:
        self.assertEqual(self.ask("/etag/abc", 'If-Match: W/"abc"').status, 412)
