"""What operators see and do, in memory and on a clock."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.engine.journal import JOURNAL_SIZE
from nbtwisted.server.model.body import Body
from nbtwisted.server.routes.httpbin import streams
from tests.guard import ClockCase
from tests.server.in_memory import Reply, Visit, site_of


class OperatingCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.site = Visit(self.clock).site

    def visit(
        self, target: str, *headers: str, method: str = "GET", peer: str = "127.0.0.1"
    ) -> Visit:
        visit = Visit(self.clock, site=self.site, peer=peer)
        visit.get(target, *headers, method=method)
        return visit

    def ask(self, target: str, *headers: str, **how: str) -> Reply:
        return self.visit(target, *headers, **how).reply()

    def journal(self, query: str = "") -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.ask(f"/__admin/requests{query}").json()[
            "requests"
        ]
        return entries

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = self.ask("/__admin/stats").json()
        return stats


class JournalTests(OperatingCase):
    def test_an_entry_a_chunk_and_a_line(self) -> None:
        self.assertEqual(self.ask("/__admin/requests").body, b'{"requests": [\n]}\n')
        for _ in range(3):
            self.ask("/get")
        visit = self.visit("/__admin/requests")
        self.assertEqual(visit.reply().headers["transfer-encoding"], "chunked")
        self.assertEqual(len(visit.reply().body.splitlines()), 5)
        self.assertEqual(len(re.findall(rb"\r\n[0-9a-f]+\r\n", visit.received)), 6)

    def test_what_was_asked_and_what_became_of_it(self) -> None:
        visit = self.visit("/delay/1?_key=a", "User-Agent: me")
        (held,) = self.journal()
        self.assertEqual((held["outcome"], held["asked"]), ("in flight", 1.0))
        self.assertEqual((held["held"], held["status"]), (None, None))
        self.clock.advance(1.5)
        self.assertEqual(visit.reply().status, 200)
        (entry,) = self.journal()
        self.assertRegex(entry.pop("time"), r"^\d{4}-\d\d-\d\dT[\d:.]{8,15}Z$")
        self.assertGreater(entry.pop("sent"), 100)
        self.assertEqual(
            entry,
            {
                "id": 1,
                "peer": "127.0.0.1",
                "method": "GET",
                "target": "/delay/1?_key=a",
                "headers": {"Host": "test", "User-Agent": "me"},
                "key": "a",
                "asked": 1.0,
                "held": 1.5,
                "upstream": None,
                "upstream_error": None,
                "took": 1.5,
                "status": 200,
                "fault": None,
                "rule": None,
                "outcome": "answered",
            },
        )

    def test_outcomes(self) -> None:
        self.visit("/delay/300").leave()
        self.visit("/get?_fault=truncate").leave()
        self.visit("/get?_fault=reset").leave()
        self.visit("/get?_fault=stall").leave()
        self.visit("/get?_fault=stall-body").leave()
        self.visit("/get?_drip=9s/3").leave()
        self.visit("/nope")
        self.assertEqual(
            [(e["status"], e["fault"], e["outcome"]) for e in self.journal()],
            [
                (None, None, "cancelled"),
                (200, "truncate", "broken"),
                (None, "reset", "broken"),
                (None, "stall", "cancelled"),
                (200, "stall-body", "cancelled"),
                (200, None, "cancelled"),
                (404, None, "answered"),
            ],
        )

    def test_a_request_takes_until_its_last_byte(self) -> None:
        self.visit("/get?_delay=1s&_drip=2s/3")
        self.clock.pump([1.0] * 4)
        (entry,) = self.journal()
        self.assertEqual((entry["held"], entry["took"]), (1.0, 3.0))

    def test_a_fault_of_our_own_is_no_cancellation(self) -> None:
        def stumble(seconds: float, random: Random) -> Body:
            raise ZeroDivisionError

        server = DelayServer(clock=self.clock, now=self.clock.seconds, seed=7)
        site = site_of(server, Clock())
        self.patch(streams, "_events", stumble)
        visit = Visit(self.clock, site=site)
        visit.get("/sse?_key=own")
        logged = self.flushLoggedErrors(TypeError, ZeroDivisionError)
        self.assertEqual(len(logged), 1)
        (entry,) = server.in_flight.journal.entries(key="own")
        self.assertEqual((entry.status, entry.outcome), (500, "failed"))

    def test_sent_counts_the_body(self) -> None:
        visit = self.visit("/get?_size=5&_fault=slow-headers")
        self.clock.pump([0.1] * 400)
        visit.leave()
        self.ask("/get?_size=7")
        self.assertEqual([entry["sent"] for entry in self.journal()], [5, 7])

    def test_since_and_key(self) -> None:
        for key in ["a", "b", "a"]:
            self.ask(f"/get?_key={key}")
        self.assertEqual([e["id"] for e in self.journal("?key=a")], [1, 3])
        self.assertEqual([e["id"] for e in self.journal("?since=1")], [2, 3])
        self.assertEqual([e["id"] for e in self.journal("?since=1&key=b")], [2])
        times = [e["time"] for e in self.journal()]
        self.assertEqual(self.journal(f"?since={times[2]}"), [])
        for since in [
            *("2020-01-01T00:00:00Z", "2020-01-01", "2020-01-01T00:00"),
            *("2020-01-01%2000:00:00.5", "2020-01-01T00:00:00.123456789-09:30"),
        ]:
            self.assertEqual(len(self.journal(f"?since={since}")), 3)
        self.assertEqual(self.journal("?since=2999-01-01T00:00:00.000000001Z"), [])
        for since in [
            *("x", "", "2020-99-01", "2020-01-01T24:00:00Z", "2020-01-01T00:00:60Z"),
            # What only newer Pythons would take.
            *("20200101T000000Z", "2020-W01-1", "2020-01-01T00:00:00.5+0000"),
        ]:
            reply = self.ask(f"/__admin/requests?since={since}")
            self.assertEqual((reply.status, reply.json()["control"]), (400, "since"))

    def test_without_controls_the_key_is_the_method_and_the_target(self) -> None:
        self.ask("/get?a=1")
        self.assertEqual(self.journal()[0]["key"], "GET /get?a=1")

    def test_keeps_no_secrets(self) -> None:
        secret = "sesame"
        self.ask(
            "/get",
            *(f"Authorization: {secret}", f"Cookie: {secret}", f"COOKIE: {secret}"),
            f"Proxy-Authorization: {secret}",
        )
        self.assertEqual(self.journal()[0]["headers"], {"Host": "test"})
        self.assertNotIn(secret, str(self.journal()))

    def test_is_bounded(self) -> None:
        many = [f"X-{number}: {'v' * 200}" for number in range(40)]
        self.ask("/get?" + "x" * 3_000, *many)
        (entry,) = self.journal()
        self.assertLess(len(str(entry)), 10_000)
        for _ in range(JOURNAL_SIZE + 5):
            self.ask("/healthz2")
        self.assertEqual(len(self.journal()), JOURNAL_SIZE)
        self.assertEqual(self.stats()["requests"], JOURNAL_SIZE + 6)

    def test_operators_are_not_in_it(self) -> None:
        for path in ["/healthz", "/readyz", "/metrics", "/__admin/stats"]:
            self.assertEqual(self.ask(path).status, 200, path)
        self.assertEqual(self.journal(), [])


class StatsAndMetricsTests(OperatingCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.visit("/delay/300").leave)
        self.visit("/delay/300").leave()
        self.visit("/get?_fault=reset").leave()
        self.ask("/get?_status=503")
        late = self.visit("/delay/1")
        self.clock.advance(1.3)
        late.leave()

    def test_stats(self) -> None:
        self.assertEqual(
            self.stats(),
            {
                "in_flight": 1,
                "requests": 5,
                "outcomes": {"cancelled": 1, "broken": 1, "answered": 2},
                "cancelled": 1,
                "by_status": {"200": 1, "503": 1, "none": 2},
                "by_fault": {"reset": 1, "none": 3},
                "draining": False,
                "seed": 7,
            },
        )

    def test_metrics(self) -> None:
        reply = self.ask("/metrics")
        self.assertTrue(reply.headers["content-type"].startswith("text/plain"))
        text = reply.body.decode()
        for line in [
            'nbtwisted_requests_total{fault="none",status="503"} 1.0',
            'nbtwisted_requests_total{fault="reset",status="none"} 1.0',
            "nbtwisted_in_flight 1.0",
            "nbtwisted_cancelled_total 1.0",
            'nbtwisted_lateness_seconds_bucket{le="0.001"} 2.0',
            'nbtwisted_lateness_seconds_bucket{le="0.25"} 2.0',
            'nbtwisted_lateness_seconds_bucket{le="0.5"} 3.0',
            'nbtwisted_lateness_seconds_bucket{le="+Inf"} 3.0',
            "nbtwisted_lateness_seconds_count 3.0",
        ]:
            self.assertIn(
                line,
                re.sub(
                    r"\{status=\"(\w+)\",fault=\"(\w+)\"",
                    r'{fault="\2",status="\1"',
                    text,
                ),
            )
        total = re.search(r"nbtwisted_lateness_seconds_sum ([\d.]+)", text)
        assert total is not None
        self.assertApproximates(float(total[1]), 0.3, 1e-6)
        self.assertIn("process_open_fds", text)
        # Of a reactor, there is more.
        self.assertIn("reactor_delayed_calls 1.0", text)
        reply = self.ask("/metrics", "Accept: application/openmetrics-text")
        self.assertIn("openmetrics", reply.headers["content-type"])
        self.assertTrue(reply.body.endswith(b"# EOF\n"))

    def test_the_format_that_is_preferred(self) -> None:
        text, open_metrics = "text/plain", "application/openmetrics-text"
        for accept, kind, version in [
            (None, text, "0.0.4"),
            ("", text, "0.0.4"),
            ("*/*", text, "0.0.4"),
            ("application/json", text, "0.0.4"),
            (open_metrics, open_metrics, "1.0.0"),
            (f"{open_metrics};q=0", text, "0.0.4"),
            (f"{open_metrics};q=0.0, */*;q=0", text, "0.0.4"),
            (f"{open_metrics};q=0.1, {text};q=0.9", text, "0.0.4"),
            (f"{text};q=0.1, {open_metrics};q=0.9", open_metrics, "1.0.0"),
            (f"{text};q=0, {open_metrics};q=0.001", open_metrics, "1.0.0"),
            (f"{open_metrics};q=0.1, */*;q=0.9", text, "0.0.4"),
            (f"{open_metrics}, {text}", open_metrics, "1.0.0"),
            (f"{text}, {open_metrics}", open_metrics, "1.0.0"),
            (f"{text};q=0.4, application/*;q=0.5", open_metrics, "1.0.0"),
            ("text/*;q=0.4, application/*;q=0.3", text, "0.0.4"),
            (f"{open_metrics} ; q=0.2 , {text} ; q=0.3", text, "0.0.4"),
            (f"{open_metrics};version=0.0.1,{text};version=0.0.4;q=0.5", text, "0.0.4"),
            (f"{open_metrics};version=x", open_metrics, "1.0.0"),
            (f"{text};version=y", text, "0.0.4"),
            (f"{open_metrics};version=99.0.0", open_metrics, "1.0.0"),
            (f"{text};version=1.1.0", text, "0.0.4"),
            (open_metrics.upper(), open_metrics, "1.0.0"),
            (f"{open_metrics};Version=1.0.0;Q=0.1, TEXT/plain", text, "0.0.4"),
            (f"{open_metrics};version={'9' * 1500}.0.0", open_metrics, "1.0.0"),
            (f"{open_metrics};a=".ljust(2048, "b"), open_metrics, "1.0.0"),
            # What is longer is not read.
            (f"{open_metrics};a=".ljust(2049, "b"), text, "0.0.4"),
            (f"{open_metrics};q=nan, {text};q=1e999", text, "0.0.4"),
            # Prometheus' own.
            (
                f"{open_metrics};version=1.0.0;escaping=allow-utf-8;q=0.6,"
                f"{open_metrics};version=0.0.1;q=0.5,"
                f"{text};version=1.0.0;escaping=allow-utf-8;q=0.4,"
                f"{text};version=0.0.4;q=0.3,*/*;q=0.2",
                *(open_metrics, "1.0.0"),
            ),
            (
                f"{text};version=0.0.4;q=0.3,{open_metrics};version=1.0.0;q=0.2,"
                f"{text};version=1.0.0;q=0.4",
                *(text, "1.0.0"),
            ),
        ]:
            given = () if accept is None else (f"Accept: {accept}",)
            reply = self.ask("/metrics", *given)
            self.assertEqual(reply.status, 200, accept)
            content_type = reply.headers["content-type"]
            self.assertTrue(content_type.startswith(f"{kind};"), (accept, content_type))
            self.assertIn(f"version={version};", content_type, accept)
            is_open_metrics = reply.body.endswith(b"# EOF\n")
            self.assertEqual(is_open_metrics, kind == open_metrics, accept)

    def test_lines_that_the_access_log_lost(self) -> None:
        self.assertNotIn(b"access_log", self.ask("/metrics").body)
        visit = Visit(self.clock, access_log_lost=lambda: 3)
        visit.get("/metrics")
        self.assertIn(b"nbtwisted_access_log_lost_total 3.0", visit.reply().body)
        visit.leave()


class ResetTests(OperatingCase):
    def reset(self) -> int:
        released: int = self.ask("/__admin/reset", method="POST").json()["released"]
        return released

    def test_what_is_held_is_answered_at_once(self) -> None:
        held = self.visit("/delay/300")
        self.clock.advance(2)
        self.assertEqual(self.reset(), 1)
        reply = held.reply()
        self.assertEqual(reply.status, 200)
        self.assertEqual(
            reply.headers["server-timing"], "asked;dur=300000, held;dur=2000"
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_would_stall_after_its_delay_is_let_go(self) -> None:
        visit = self.visit("/get?_delay=60s&_fault=stall")
        self.assertEqual(self.reset(), 1)
        self.assertTrue(visit.is_closed)
        self.assertEqual(self.reset(), 0)
        visit.leave()

    def test_what_cannot_be_answered_is_let_go(self) -> None:
        for target in [
            "/get?_fault=stall",
            "/get?_drip=9s/3",
            "/get?_fault=slow-headers",
        ]:
            visit = self.visit(target)
            self.assertEqual(self.reset(), 1, target)
            self.assertTrue(visit.is_closed, target)
            visit.leave()
            self.assertEqual(self.stats()["in_flight"], 0)
            self.assertEqual(self.stats()["outcomes"], {})

    def test_everything_is_forgotten(self) -> None:
        target = "/get?_seq=503,200&_key=a"
        self.assertEqual(self.ask(target).status, 503)
        self.reset()
        self.assertEqual(self.journal(), [])
        self.assertEqual((self.stats()["requests"], self.stats()["outcomes"]), (0, {}))
        self.assertEqual(self.ask(target).status, 503)
        self.assertEqual(self.journal()[0]["id"], 2)

    def test_only_by_post(self) -> None:
        self.assertEqual(self.ask("/__admin/reset").status, 405)


class AdmittanceTests(OperatingCase):
    def test_this_machine_only(self) -> None:
        for peer, status in [
            ("127.0.0.1", 200),
            ("127.1.2.3", 200),
            ("::1", 200),
            ("::ffff:127.0.0.1", 200),
            ("unix", 200),
            ("192.168.1.1", 401),
            ("::ffff:10.0.0.1", 401),
            ("fe80::1%eth0", 401),
        ]:
            for path in ["/__admin/stats", "/__admin/requests"]:
                self.assertEqual(self.ask(path, peer=peer).status, status, peer)
            reply = self.ask("/__admin/reset", method="POST", peer=peer)
            self.assertEqual(reply.status, status, peer)
        self.assertEqual(self.ask("/metrics", peer="192.168.1.1").status, 200)

    def test_with_a_token_everybody_needs_it(self) -> None:
        self.site = Visit(self.clock, admin_token="sesame").site
        right = "Authorization: Bearer sesame"
        for peer in ["127.0.0.1", "::1", "unix", "192.168.1.1"]:
            for path, method in [("stats", "GET"), ("live", "GET"), ("reset", "POST")]:
                target = f"/__admin/{path}"
                reply = self.ask(target, peer=peer, method=method)
                self.assertEqual(reply.status, 401, (peer, path))
                self.assertEqual(reply.headers["www-authenticate"], "Bearer")
                reply = self.ask(target, right, peer=peer, method=method)
                self.assertEqual(reply.status, 200, (peer, path))
        # By any name, and through any proxy.
        for header in ["Host: slow.example", "X-Forwarded-For: 10.0.0.1"]:
            self.assertEqual(self.ask("/__admin/stats", right, header).status, 200)
        # But not for a page of another site.
        reply = self.ask("/__admin/stats", right, "Origin: http://evil.example")
        self.assertEqual(reply.status, 403)

    def test_not_through_a_proxy_on_this_machine(self) -> None:
        for name in [
            *("Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded"),
            *("X-Forwarded-Proto", "x_forwarded_for", "Forwarded-For", "Via"),
            *("X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"),
            *("X-Cluster-Client-Ip", "Fastly-Client-IP", "X-Original-Forwarded-For"),
            *("X-Azure-ClientIP", "X-Envoy-External-Address", "Client-IP"),
            *("X-ProxyUser-Ip", "CDN-Loop", "X-Amzn-Trace-Id", "X-Remote-Addr"),
            *("X-Vercel-Forwarded-For", "HTTP_X_FORWARDED_FOR", "X-Proxied-For"),
            *("X-Azure-SocketIP", "X-Originating-IP", "X-Appengine-User-IP"),
        ]:
            for value in ["127.0.0.1", "", "for=127.0.0.1"]:
                for peer in ["127.0.0.1", "unix"]:
                    for path, method in [("requests", "GET"), ("reset", "POST")]:
                        reply = self.ask(
                            *(f"/__admin/{path}", f"{name}: {value}"),
                            method=method,
                            peer=peer,
                        )
                        self.assertEqual(reply.status, 401, name)
                        self.assertIn("not through a proxy", reply.json()["error"])
        for name in ["X-Request-Id", "Forward", "Viable", "X-Really", "X-Ship"]:
            reply = self.ask("/__admin/stats", f"{name}: 127.0.0.1")
            self.assertEqual(reply.status, 200, name)

    def test_a_token(self) -> None:
        self.site = Visit(self.clock, admin_token="sesame").site
        for given, status in [
            ("Bearer sesame", 200),
            ("bearer  sesame", 200),
            ("Bearer sesam", 401),
            ("Bearer SESAME", 401),
            ("Bearersesame", 401),
            ("Bearer sesame\r\nAuthorization: Bearer x", 401),
            ("Bearer x\r\nAuthorization: Bearer sesame", 401),
            ("Bearer ", 401),
            ("sesame", 401),
            ("Bearer sesam\xe9", 401),
        ]:
            reply = self.ask(
                "/__admin/stats", f"Authorization: {given}", peer="192.168.1.1"
            )
            self.assertEqual(reply.status, status, given)
        self.assertEqual(reply.headers["www-authenticate"], "Bearer")

    def test_without_a_token_none_is_right(self) -> None:
        for given in ["Bearer ", "Bearer", "Bearer None", ""]:
            reply = self.ask(
                "/__admin/stats", f"Authorization: {given}", peer="192.168.1.1"
            )
            self.assertEqual(reply.status, 401, given)

    def test_not_for_pages_of_other_sites(self) -> None:
        reset = {"method": "POST"}
        reply = self.ask("/__admin/reset", "Origin: http://evil.example", **reset)
        self.assertEqual(reply.status, 403)
        # Nor where a name of theirs leads here.
        theirs = ("Host: evil.example", "Origin: http://evil.example")
        for headers in [theirs, theirs[:1]]:
            reply = self.ask("/__admin/reset", *headers, **reset)
            self.assertEqual(reply.status, 403)
        for host in ["127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1", "10.1.1.1"]:
            reply = self.ask("/__admin/stats", f"Host: {host}")
            self.assertEqual(reply.status, 200, host)
        for origin in ["null", "http://[", "x"]:
            reply = self.ask("/__admin/reset", f"Origin: {origin}", **reset)
            self.assertEqual(reply.status, 403, origin)
        self.assertEqual(
            self.ask("/__admin/reset", "Origin: http://localhost", **reset).status, 200
        )

    def test_not_for_forms_of_other_sites_in_old_browsers(self) -> None:
        # Which say neither Origin nor Sec-Fetch-Site.
        for referer, status in [
            ("http://evil.example/page", 403),
            ("http://localhost.evil.example/", 403),
            ("http://evil.example/http://localhost", 403),
            ("http://[", 403),
            ("", 403),
            ("http://localhost/__admin/live", 200),
        ]:
            reply = self.ask("/__admin/reset", f"Referer: {referer}", method="POST")
            self.assertEqual(reply.status, status, referer)
            # To be led here is fine.
            reply = self.ask("/__admin/stats", f"Referer: {referer}")
            self.assertEqual(reply.status, 200, referer)

    def test_not_as_a_part_of_pages_of_other_sites(self) -> None:
        # Of what has no Origin, browsers say for whom they ask.
        for site, mode, destination, status in [
            ("cross-site", "no-cors", "image", 403),
            ("same-site", "no-cors", "script", 403),
            ("cross-site", "navigate", "iframe", 403),
            ("cross-site", "navigate", "document", 200),
            ("same-site", "navigate", "document", 200),
            ("cross-site", "cors", "empty", 403),
            ("cross-site", "no-cors", "serviceworker", 403),
            ("cross-site", "navigate", "object", 403),
            ("same-origin", "cors", "empty", 200),
            ("none", "navigate", "document", 200),
        ]:
            reply = self.ask(
                "/__admin/stats",
                f"Sec-Fetch-Site: {site}",
                f"Sec-Fetch-Mode: {mode}",
                f"Sec-Fetch-Dest: {destination}",
            )
            self.assertEqual(reply.status, status, (site, mode, destination))
        reply = self.ask(
            *("/__admin/reset", "Sec-Fetch-Site: cross-site"),
            *("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"),
            method="POST",
        )
        self.assertEqual(reply.status, 403)


class DrainTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        server = DelayServer(clock=self.clock, now=self.clock.seconds, seed=7)
        self.traffic = server.in_flight
        self.site = site_of(server, Clock())

    def visit(self, target: str) -> Visit:
        visit = Visit(self.clock, site=self.site)
        visit.get(target)
        return visit

    def test_waits_for_what_is_held_and_for_nothing_else(self) -> None:
        held, stalled = self.visit("/delay/2"), self.visit("/get?_fault=stall-body")
        drained = Deferred.fromCoroutine(self.traffic.drain())
        self.assertTrue(stalled.is_closed)
        stalled.leave()
        late = self.visit("/delay/2")
        refused = late.reply()
        self.assertEqual(refused.status, 503)
        self.assertEqual(refused.headers["connection"], "close")
        late.leave()
        self.assertEqual(self.visit("/healthz").reply().status, 200)
        self.assertEqual(self.visit("/readyz").reply().status, 503)
        self.clock.advance(1.9)
        self.assertNoResult(drained)
        self.clock.advance(0.1)
        reply = held.reply()
        self.assertEqual((reply.status, reply.headers["connection"]), (200, "close"))
        self.assertTrue(held.is_closed)
        # The kernel does not have all of it yet.
        self.clock.advance(1)
        self.assertNoResult(drained)
        held.leave()
        self.clock.advance(1)
        self.successResultOf(drained)

    def test_what_stalls_later_is_dropped_then(self) -> None:
        visit = self.visit("/get?_delay=1s&_fault=stall")
        drained = Deferred.fromCoroutine(self.traffic.drain())
        self.assertFalse(visit.is_closed)
        self.clock.advance(1)
        self.assertTrue(visit.is_closed)
        visit.leave()
        self.clock.advance(0.01)
        self.successResultOf(drained)

    def test_a_kept_connection_whose_head_was_sent_before(self) -> None:
        visit = self.visit("/drip?numbytes=3&duration=2")
        drained = Deferred.fromCoroutine(self.traffic.drain())
        self.clock.advance(1)
        self.assertFalse(visit.is_closed)
        self.clock.advance(1)
        self.assertTrue(visit.is_closed)
        self.assertEqual(visit.reply().body, b"***")
        visit.leave()
        self.clock.advance(1)
        self.successResultOf(drained)

    def test_nothing_held(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.traffic.drain()))

    def test_waits_no_more_when_cancelled(self) -> None:
        held = self.visit("/delay/2")
        drained = Deferred.fromCoroutine(self.traffic.drain())
        drained.cancel()
        self.failureResultOf(drained, CancelledError)
        held.leave()


class FullTests(ClockCase):
    def test_above_max_in_flight(self) -> None:
        site = Visit(self.clock, max_in_flight=2).site
        held = [Visit(self.clock, site=site) for _ in range(2)]
        for visit in held:
            visit.get("/delay/1")
        refused = Visit(self.clock, site=site)
        refused.get("/delay/1?_status=201&_key=k")
        reply = refused.reply()
        self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "1"))
        journal = Visit(self.clock, site=site, peer="127.0.0.1")
        journal.get("/__admin/requests?key=k")
        (entry,) = journal.reply().json()["requests"]
        self.assertEqual((entry["key"], entry["status"]), ("k", 503))
        operator = Visit(self.clock, site=site)
        operator.get("/healthz")
        self.assertEqual(operator.reply().status, 200)
        held[0].leave()
        admitted = Visit(self.clock, site=site)
        admitted.get("/delay/1")
        self.clock.advance(1)
        self.assertEqual(admitted.reply().status, 200)
        self.assertEqual(held[1].reply().status, 200)
