"""What browsers are told of every answer, on both channels, whatever it is."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.web.server import Site

from nbtwisted.server.routes import basic as routes
from nbtwisted.testing.slow_app import SlowApp
from tests.guard import ClockCase
from tests.server.in_memory import Visit

CHANNELS = ("ours", "twisted")
ELSEWHERE = "http://elsewhere.example:3000"


def head_of(received: bytes) -> dict[str, list[str]]:
    """The headers of the first answer, by their names in lower case."""
    head, blank, _ = received.partition(b"\r\n\r\n")
    assert blank, received
    found: dict[str, list[str]] = {}
    for line in head.decode().split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        found.setdefault(name.lower(), []).append(value)
    return found


def assert_kept_apart(received: bytes) -> dict[str, list[str]]:
    """What a browser would make of an answer has no origin and no scripts."""
    headers = head_of(received)
    assert "sandbox" in headers.get("content-security-policy", []), received
    assert headers.get("x-content-type-options") == ["nosniff"], received
    return headers


class BrowsersCase(ClockCase):
    def visit(self, channel: str, **more: Any) -> Visit:
        visit = Visit(self.clock, channel=channel, **more)
        self.addCleanup(visit.leave)
        return visit

    def ask(
        self, channel: str, target: str, *headers: str, method: str = "GET", **more: Any
    ) -> bytes:
        """The answer; the second time that it was asked for, when it is known."""
        more = {"peer": "127.0.0.1", **more}
        first = self.visit(channel, **more)
        visit = self.visit(channel, site=first.site, **more)
        for each in (first, visit):
            each.get(target, *headers, method=method)
            self.clock.pump([60] * 2)
        return visit.received


class SandboxTests(BrowsersCase):
    def test_every_answer(self) -> None:
        for channel in CHANNELS:
            for target in [
                *("/?_delay=0", "/", "/get", "/anything/x", "/ip", "/status/418"),
                *("/status/204", "/status/304", "/bytes/9", "/stream/2", "/range/9"),
                *("/drip?duration=1", "/gzip", "/redirect/1", "/sse?duration=1"),
                *("/unstable", "/delay/1", "/redirect-to?url=javascript:alert(1)"),
                *("/nope", "/get?_delay=x", "/a%ff", "/a/__admin/live", "/__adminx"),
                *("/get?_limit=1/9s&_key=k", "/get?_size=9&_drip=1s/3"),
                # twisted.web itself answers this.
                *(["*"] if channel == "ours" else []),
            ]:
                assert_kept_apart(self.ask(channel, target))
            for method in ["POST", "HEAD", "OPTIONS", "BREW"]:
                assert_kept_apart(self.ask(channel, "/get", method=method))
            assert_kept_apart(self.ask(channel, "/post", method="POST"))
            if channel == "ours":
                assert_kept_apart(self.ask(channel, "*", method="OPTIONS"))
            assert_kept_apart(self.ask(channel, "http://test/get"))

    def test_every_answer_under_twistd(self) -> None:
        for target in [
            *("/?_delay=0", "/get?_header=Content-Type:text/html", "/status/418"),
            *("/stream/2", "/nope", "/get?_delay=x", "/a%ff", "/redirect/1"),
            *("/get?_fault=truncate", "/get?_fault=stall-body", "http://test/get"),
            "/get?_header=X-Content-Type-Options:x&_header=Content-Security-Policy:x",
        ]:
            for method in ["GET", "HEAD", "POST", "OPTIONS"]:
                site = Site(SlowApp(seed=7), reactor=Clock())
                visit = Visit(self.clock, site=site)
                visit.get(target, method=method)
                assert_kept_apart(visit.received)
                visit.leave()

    def test_faults_that_send_a_head(self) -> None:
        for channel in CHANNELS:
            for fault in [
                *("malformed-chunk", "truncate", "wrong-length", "stall-body"),
                "slow-headers",
            ]:
                assert_kept_apart(
                    self.ask(
                        channel, f"/get?_fault={fault}&_header=Content-Type:text/html"
                    )
                )

    def test_no_control_takes_it_away(self) -> None:
        weaker = "sandbox allow-scripts allow-same-origin"
        policy = f"Content-Security-Policy: {weaker}"
        for channel in CHANNELS:
            for target in [
                "/get?_header=Content-Security-Policy:",
                "/get?_header=content-security-policy:default-src *",
                f"/get?_header={policy}&_header={policy}&_header=X:y",
                "/get?_header=X-Content-Type-Options:",
                "/get?_header=x-content-type-options:a&_header=X-CONTENT-TYPE-OPTIONS:b",
                "/stream/1?_header=CONTENT-SECURITY-POLICY:x",
                f"/response-headers?Content-Security-Policy={weaker}",
                "/response-headers?X-Content-Type-Options=&content-type=text/html",
                "/redirect-to?url=/get&_header=Content-Security-Policy:x",
                "/status/200?_header=Content-Security-Policy:x&_size=9",
                "/get?_fault=slow-headers&_header=Content-Security-Policy:x",
            ]:
                assert_kept_apart(self.ask(channel, target.replace(" ", "%20")))
            for name in ["Content-Security-Policy", "x-content-type-options"]:
                assert_kept_apart(
                    self.ask(channel, "/get", f"X-Nbtwisted-Header: {name}: x")
                )

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        *("Content-Security-Policy", "content-security-Policy"),
                        *("X-Content-Type-Options", "x-CONTENT-type-options"),
                        *("Content-Type", "Server", "Connection", "Date", "X"),
                    ]
                ),
                st.sampled_from(["", "x", "sandbox", "close", "text/html", "a,b"]),
            ),
            max_size=6,
        ),
        st.sampled_from(["/get?", "/response-headers?X=y&", "/stream/1?", "/a?"]),
        st.sampled_from(CHANNELS),
    )
    def test_no_set_of_headers_does(
        self, headers: list[tuple[str, str]], target: str, channel: str
    ) -> None:
        controls = "&".join(f"_header={name}:{value}" for name, value in headers)
        visit = Visit(Clock(), channel=channel)
        visit.get(target + controls)
        assert_kept_apart(visit.received)

    def test_what_is_no_request(self) -> None:
        # Under `twistd`, twisted.web answers it without a header.
        for channel in ("ours",):
            for sent in [
                b"nonsense\r\n\r\n",
                b"GET /" + b"x" * 17000 + b" HTTP/1.1\r\nHost: t\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 66000 + b"\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2000000\r\n\r\n",
            ]:
                visit = self.visit(channel)
                visit.send(sent)
                assert_kept_apart(visit.received)

    def test_when_it_is_full_or_drains(self) -> None:
        for channel in CHANNELS:
            first = self.visit(channel, max_in_flight=1)
            first.get("/delay/300")
            for _ in range(2):
                late = self.visit(channel, site=first.site)
                late.get("/get?_header=Content-Type:text/html")
                assert late.reply().status == 503
                assert_kept_apart(late.received)
                site: Any = first.site
                site.in_flight.is_draining = True

    def test_a_fault_of_our_own(self) -> None:
        def stumble(request: Any) -> None:
            raise ZeroDivisionError

        for channel in CHANNELS:
            self.patch(routes, "echo", stumble)
            received = self.ask(channel, "/delay/0")
            self.flushLoggedErrors(ZeroDivisionError)
            self.assertTrue(received.startswith(b"HTTP/1.1 500 "), received)
            assert_kept_apart(received)


class SharingTests(BrowsersCase):
    """Reading answers from other origins, as httpbin allows it."""

    def test_for_nobody_in_particular(self) -> None:
        for channel in CHANNELS:
            for target in ["/?_delay=0", "/get", "/nope", "/get?_delay=x", "/stream/1"]:
                headers = head_of(self.ask(channel, target))
                self.assertEqual(headers["access-control-allow-origin"], ["*"])
                self.assertEqual(headers["access-control-allow-credentials"], ["true"])
                self.assertNotIn("vary", headers)

    def test_for_an_origin(self) -> None:
        for channel in CHANNELS:
            for origin in [ELSEWHERE, "null", "https://a.example"]:
                for target in ["/get", "/nope", "/status/503", "/drip?duration=0"]:
                    received = self.ask(channel, target, f"Origin: {origin}")
                    headers = head_of(received)
                    self.assertEqual(headers["access-control-allow-origin"], [origin])
                    self.assertEqual(
                        headers["access-control-allow-credentials"], ["true"]
                    )
                    self.assertEqual(headers["vary"], ["Origin"])
                    # So that Server-Timing can be read.
                    self.assertEqual(headers["access-control-expose-headers"], ["*"])
                    self.assertEqual(headers["timing-allow-origin"], [origin])

    def test_each_its_own(self) -> None:
        for channel in CHANNELS:
            site = self.visit(channel).site
            for origin in ["http://a", "http://b", "http://a"]:
                visit = self.visit(channel, site=site)
                visit.get("/get", f"Origin: {origin}")
                headers = head_of(visit.received)
                self.assertEqual(headers["access-control-allow-origin"], [origin])

    def test_an_answer_s_own(self) -> None:
        # For tests of clients that are not let in.
        for channel in CHANNELS:
            target = "/get?_header=access-control-allow-origin:http://b&_header=Vary:X"
            headers = head_of(self.ask(channel, target, "Origin: http://a"))
            self.assertEqual(headers["access-control-allow-origin"], ["http://b"])
            self.assertEqual(sorted(headers["vary"]), ["Origin", "X"])

    def test_what_is_no_origin(self) -> None:
        for channel in CHANNELS:
            for origin in ["", "a b", "\xe9", "a\tb"]:
                headers = head_of(self.ask(channel, "/get", f"Origin: {origin}"))
                self.assertEqual(headers["access-control-allow-origin"], ["*"])

    def test_a_preflight_says_yes_at_once(self) -> None:
        for channel in CHANNELS:
            for target in [
                *("/get", "/post", "/anything/x", "/nope", "/status/503", "/delay/9"),
                "/get?_status=500&_delay=9s&_fault=reset&_seq=500&_header=X:y",
            ]:
                visit = self.visit(channel)
                visit.get(
                    target,
                    f"Origin: {ELSEWHERE}",
                    "Access-Control-Request-Method: PUT",
                    "Access-Control-Request-Headers: x-a, content-type",
                    "X-Nbtwisted-Status: 500",
                    method="OPTIONS",
                )
                headers = assert_kept_apart(visit.received)
                reply = visit.reply("OPTIONS")
                self.assertEqual((reply.status, reply.body), (200, b""), target)
                for name, value in [
                    ("access-control-allow-origin", ELSEWHERE),
                    ("access-control-allow-credentials", "true"),
                    (
                        "access-control-allow-methods",
                        "GET, POST, PUT, DELETE, PATCH, OPTIONS",
                    ),
                    ("access-control-allow-headers", "x-a, content-type"),
                    ("access-control-max-age", "3600"),
                ]:
                    self.assertEqual(headers[name], [value], target)
                self.assertNotIn("access-control-allow-private-network", headers)

    def test_a_preflight_is_not_counted_for_the_request(self) -> None:
        for channel in CHANNELS:
            site = self.visit(channel).site
            statuses = []
            for method, *headers in [
                ("OPTIONS", "Access-Control-Request-Method: GET"),
                ("GET",),
                ("OPTIONS", "Access-Control-Request-Method: GET"),
                ("GET",),
            ]:
                visit = self.visit(channel, site=site)
                visit.get("/get?_seq=503,201&_key=a", *headers, method=method)
                statuses.append(visit.reply(method).status)
            self.assertEqual(statuses, [200, 503, 200, 201])

    def test_any_method_is_allowed(self) -> None:
        for asked, allowed in [
            ("BREW", ", BREW"),
            ("PUT", ""),
            ("a b", ""),
            ("x,", ""),
        ]:
            headers = head_of(
                self.ask(
                    "ours",
                    "/anything",
                    f"Access-Control-Request-Method: {asked}",
                    method="OPTIONS",
                )
            )
            self.assertEqual(
                headers["access-control-allow-methods"],
                ["GET, POST, PUT, DELETE, PATCH, OPTIONS" + allowed],
            )

    def test_options_without_a_question(self) -> None:
        for channel in CHANNELS:
            received = self.ask(channel, "/get", method="OPTIONS")
            headers = head_of(received)
            self.assertRegex(received, b"^HTTP/1.1 200 ")
            self.assertEqual(headers["allow"], ["GET, HEAD, OPTIONS"])
            self.assertEqual(headers["access-control-allow-origin"], ["*"])
            self.assertEqual(headers["access-control-max-age"], ["3600"])
            self.assertNotIn("access-control-allow-headers", headers)
            received = self.ask(channel, "/anything", method="OPTIONS")
            self.assertIn(b'"method": "OPTIONS"', received)
            received = self.ask(channel, "/status/503", method="OPTIONS")
            self.assertRegex(received, b"^HTTP/1.1 503 ")
            self.assertRegex(self.ask(channel, "*", method="OPTIONS"), b" 200 OK")
            self.assertRegex(self.ask(channel, "/nope", method="OPTIONS"), b" 404 ")


OPERATORS = ["/healthz", "/readyz", "/metrics", "/ca.pem"]
OPERATORS += ["/__admin/requests", "/__admin/live"]


class OperatorsTests(BrowsersCase):
    def test_they_stay_closed(self) -> None:
        for channel in CHANNELS:
            for target in [
                *(*OPERATORS, "/__admin", "/__admin/nope", "/%5f%5fadmin/stats"),
                *(
                    "/__admin/a%ffb",
                    "/__admin%2fnope",
                    "//__admin/reset",
                    "http://localhost/__admin/nope",
                ),
            ]:
                for headers in [(), (f"Origin: {ELSEWHERE}",), ("Origin: null",)]:
                    for method in ["GET", "OPTIONS", "POST"]:
                        received = self.ask(
                            *(channel, target, "Host: localhost", *headers),
                            "Access-Control-Request-Method: POST",
                            method=method,
                        )
                        case = (channel, target, method)
                        self.assertNotIn(b"Access-Control", received, case)
                        self.assertNotIn(b"Timing-Allow", received, case)
                        if method == "OPTIONS":
                            self.assertNotIn(b" 200 OK", received, case)

    def test_they_run_nothing_but_the_live_page(self) -> None:
        for channel in CHANNELS:
            for target in [*OPERATORS, "/__admin/nope", "/__admin/events"]:
                visit = self.visit(channel, peer="127.0.0.1")
                visit.get(target)
                headers = head_of(visit.received)
                (policy,) = headers["content-security-policy"]
                self.assertIn("default-src 'none'", policy)
                self.assertIn("frame-ancestors 'none'", policy)
                self.assertEqual(headers["x-content-type-options"], ["nosniff"])
                self.assertEqual(
                    headers["cross-origin-resource-policy"], ["same-origin"]
                )

    def test_they_take_no_controls(self) -> None:
        for channel in CHANNELS:
            for target in [*OPERATORS, "/__admin/events", "/__admin/live.css"]:
                for control, value in [
                    ("delay", "300s"),
                    ("header", "Content-Security-Policy:x"),
                    ("header", "Access-Control-Allow-Origin:*"),
                    ("status", "201"),
                    ("fault", "stall"),
                    ("drip", "1s/2"),
                    ("rate", "1"),
                    ("size", "5"),
                    ("seq", "503"),
                    ("limit", "1/1s"),
                    ("key", "k"),
                    ("delay", "nonsense"),
                ]:
                    for query, headers in [
                        (f"?_{control}={value}", ()),
                        ("", (f"X-Nbtwisted-{control}: {value}",)),
                    ]:
                        visit = self.visit(channel, peer="127.0.0.1")
                        visit.get(target + query, *headers)
                        # At once, for the clock stands still.
                        reply = visit.reply()
                        self.assertEqual(reply.status, 400, (target, query, headers))
                        self.assertEqual(
                            reply.json(),
                            {
                                "error": "this path takes no controls",
                                "control": f"_{control}",
                                "expected": f"no _{control}",
                            },
                        )
                        self.assertIn(
                            "default-src 'none'",
                            reply.headers["content-security-policy"],
                        )
                        self.assertIsNone(
                            re.search(b"Access-Control-Allow", visit.received)
                        )

    def test_strangers_are_told_nothing_else(self) -> None:
        reply = self.visit("ours")
        reply.get("/__admin/stats?_status=200")
        self.assertEqual(reply.reply().status, 401)
