"""The live page and its events, in memory and on a clock."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from nbtwisted.proxy.stream.journal import LinkEntry, LinkJournal
from nbtwisted.proxy.stream.viewed import ViewedLinks
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.routes.live import MOST_VIEWERS, SCRIPTS, SECONDS_A_FRAME
from nbtwisted.server.routes.viewing import MOST_HELD
from tests.guard import ClockCase
from tests.server.in_memory import Reply, Visit, site_of
from tests.server.running import BY_MODULE, BY_TWISTD, RunningServer

Event = tuple[str, Any]


def events_in(received: bytes) -> list[Event]:
    """The events that were received, of an answer whose end may be missing."""
    head, _, rest = received.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head, received
    text = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        text += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    found = []
    for block in text.decode().split("\n\n"):
        event = re.fullmatch(r"event: (\w+)\ndata: (.*)", block)
        if event:
            found.append((event[1], json.loads(event[2])))
    return found


class LiveCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = DelayServer(clock=self.clock, now=self.clock.seconds, seed=7)
        self.site = site_of(self.server, Clock())
        self.traffic = self.server.in_flight

    def visit(
        self, target: str, *headers: str, method: str = "GET", peer: str = "127.0.0.1"
    ) -> Visit:
        visit = Visit(self.clock, site=self.site, peer=peer)
        visit.get(target, *headers, method=method)
        return visit

    def ask(self, target: str, *headers: str, **how: str) -> Reply:
        return self.visit(target, *headers, **how).reply()

    def watch(self, query: str = "") -> Visit:
        viewer = self.visit(f"/__admin/events{query}")
        self.addCleanup(viewer.leave)
        return viewer

    def frame(self, viewer: Visit) -> dict[str, Any]:
        """The next frame."""
        before = len(events_in(viewer.received))
        self.clock.advance(SECONDS_A_FRAME)
        ((name, frame),) = events_in(viewer.received)[before:]
        self.assertEqual(name, "frame")
        told: dict[str, Any] = frame
        return told


class EventsTests(LiveCase):
    def test_it_begins_with_what_there_is(self) -> None:
        self.addCleanup(self.visit("/delay/9?_key=a").leave)
        viewer = self.watch()
        self.assertIn(b"\r\nContent-Type: text/event-stream\r\n", viewer.received)
        self.assertIn(b"\r\nCache-Control: no-store\r\n", viewer.received)
        self.assertIn(b"retry: 2000\n\n", viewer.received)
        (hello, told), (name, frame) = events_in(viewer.received)
        self.assertEqual((hello, name), ("hello", "frame"))
        self.assertEqual((told["seed"], told["key"]), ("7", ""))
        self.assertEqual(told["life"], self.server.instance_id)
        self.assertEqual([row["key"] for row in frame["rows"]], ["a"])
        self.assertEqual(frame["counts"], {"in_flight": 1, "requests": 1})
        self.assertFalse(frame["draining"])

    def test_another_server_has_another_life(self) -> None:
        other = DelayServer(clock=self.clock, seed=7)
        self.assertNotEqual(other.instance_id, self.server.instance_id)

    def test_requests_come_and_end(self) -> None:
        viewer = self.watch()
        held = self.visit("/delay/1?_status=503")
        leaving = self.visit("/delay/9?_key=leaving")
        self.visit("/get?_fault=reset&_key=broken").leave()
        self.assertEqual(self.ask("/get?_key=at-once").status, 200)
        rows = self.frame(viewer)["rows"]
        self.assertEqual(
            [(row["key"], row["outcome"], row["asked"]) for row in rows[1:]],
            [
                ("leaving", "in flight", 9.0),
                ("broken", "broken", 0.0),
                ("at-once", "answered", 0.0),
            ],
        )
        leaving.leave()
        (change,) = self.frame(viewer)["changes"]
        self.assertEqual((change["id"], change["outcome"]), (2, "cancelled"))
        self.frame(viewer)
        (change,) = self.frame(viewer)["changes"]
        self.assertEqual((change["status"], change["held"]), (503, 1.0))
        self.assertEqual(held.reply().status, 503)

    def test_each_frame_is_made_when_it_is_sent(self) -> None:
        viewer = self.watch()
        for number in range(3):
            self.clock.advance(SECONDS_A_FRAME - 0.01)
            self.ask(f"/get?{number}")
            before = len(events_in(viewer.received))
            self.clock.advance(0.01)
            ((_, frame),) = events_in(viewer.received)[before:]
            self.assertEqual(
                [row["target"] for row in frame["rows"]], [f"/get?{number}"]
            )

    def test_a_reset_is_shown_and_goes_on(self) -> None:
        viewer = self.watch()
        held, dripping = self.visit("/delay/9"), self.visit("/get?_drip=9s/3")
        self.frame(viewer)
        reset = self.ask("/__admin/reset", method="POST")
        self.assertEqual(reset.json(), {"released": 2})
        dripping.leave()
        self.assertEqual(held.reply().status, 200)
        frame = self.frame(viewer)
        self.assertEqual(
            [change["outcome"] for change in frame["changes"]], ["released"] * 2
        )
        self.assertEqual(frame["counts"], {"in_flight": 0, "requests": 0})
        self.assertFalse(viewer.is_closed)

    def test_thousands(self) -> None:
        for _ in range(2000):
            self.addCleanup(self.visit("/delay/300").leave)
        viewer = self.watch()
        (_, (_, frame)) = events_in(viewer.received)
        self.assertEqual((frame["shown"], frame["of"]), (MOST_HELD, 2000))
        self.assertEqual(frame["overview"]["waiting"], 2000)
        self.assertLess(len(viewer.received), 40_000)

    def test_a_key(self) -> None:
        for key in ["pay/1", "ship"]:
            self.addCleanup(self.visit(f"/delay/9?_key={key}").leave)
        viewer = self.watch("?key=pa%79")
        (_, hello), (_, frame) = events_in(viewer.received)
        self.assertEqual((hello["key"], hello["upstream"]), ("pay", None))
        self.assertEqual([row["key"] for row in frame["rows"]], ["pay/1"])
        reply = self.ask("/__admin/events?key=" + "x" * 201)
        self.assertEqual((reply.status, reply.json()["control"]), (400, "key"))

    def test_what_a_proxy_is_in_front_of(self) -> None:
        self.server.upstream = "http://127.0.0.1:9000"
        self.server.url = "http://127.0.0.1:8001/"
        (_, hello), (_, frame) = events_in(self.watch().received)
        self.assertEqual(
            (hello["upstream"], hello["has_links"]), ("http://127.0.0.1:9000", False)
        )
        self.assertEqual(hello["url"], "http://127.0.0.1:8001/")
        self.assertNotIn("links", frame)
        page = self.ask("/__admin/live").body
        self.assertIn(b'<body class="has-requests has-upstream">', page)

    def test_links(self) -> None:
        self.assertIn(b'<body class="has-requests">', self.ask("/__admin/live").body)
        journal = LinkJournal()
        self.server.links = ViewedLinks(lambda: [("", journal)])
        self.server.upstream = "tcp://[::1]:5432<b>"
        page = self.ask("/__admin/live").body
        self.assertIn(b'<body class="has-requests has-upstream has-links">', page)
        self.assertIn(b"before tcp://[::1]:5432&lt;b&gt; holds", page)
        self.server.has_requests = False
        page = self.ask("/__admin/live").body
        self.assertIn(b'<body class="has-upstream has-links">', page)
        self.assertIn(b"before tcp://[::1]:5432&lt;b&gt; passes on", page)
        self.server.upstream = None
        page = self.ask("/__admin/live").body
        self.assertIn(b"What the proxy passes on, live", page)
        viewer = self.watch()
        (_, hello), (_, frame) = events_in(viewer.received)
        self.assertEqual((hello["has_links"], frame["links"]["rows"]), (True, []))
        journal.begin(LinkEntry(1, 0.0, "127.0.0.1:9"))
        (row,) = self.frame(viewer)["links"]["rows"]
        self.assertEqual((row["number"], row["outcome"]), (1, "opening"))

    def test_a_slow_viewer_misses_frames_and_nothing_else(self) -> None:
        viewer = self.watch()
        viewer.stop_reading()
        before = viewer.received
        for number in range(40):
            self.ask(f"/get?{number}")
            self.clock.advance(SECONDS_A_FRAME)
        self.assertEqual(viewer.received, before)
        # No frame waits: only one timer, and not even that.
        self.assertEqual(self.clock.getDelayedCalls(), [])
        viewer.read_on()
        (_, frame) = events_in(viewer.received)[-1]
        self.assertEqual(len(events_in(viewer.received)), 3)
        self.assertEqual(len(frame["rows"]), 40)
        self.assertEqual(self.frame(viewer)["rows"], [])

    def test_leaving(self) -> None:
        for is_reading in (True, False):
            viewer = self.visit("/__admin/events")
            self.assertEqual(self.traffic.viewers, 1)
            if not is_reading:
                viewer.stop_reading()
            viewer.leave()
            self.assertEqual(self.traffic.viewers, 0)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_at_most_so_many_viewers(self) -> None:
        viewers = [self.watch() for _ in range(MOST_VIEWERS)]
        for method in ("GET", "HEAD"):
            visit = self.visit("/__admin/events", method=method)
            refused = visit.reply(method)
            self.assertEqual(
                (refused.status, refused.headers["retry-after"]), (503, "2")
            )
        self.assertEqual(
            self.ask("/__admin/events").json()["error"], "too many viewers"
        )
        viewers[0].leave()
        self.assertEqual(len(events_in(self.watch().received)), 2)

    def test_a_head_has_no_events_and_is_no_viewer(self) -> None:
        reply = self.visit("/__admin/events", method="HEAD").reply("HEAD")
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertEqual(reply.headers["content-type"], "text/event-stream")
        self.assertEqual(self.traffic.viewers, 0)

    def test_nobody_waits_for_viewers(self) -> None:
        viewer = self.watch()
        held = self.visit("/delay/1")
        drained = Deferred.fromCoroutine(self.traffic.drain())
        self.assertTrue(self.frame(viewer)["draining"])
        late = self.watch()
        self.assertEqual(len(events_in(late.received)), 2)
        self.clock.pump([0.25] * 4)
        held.leave()
        self.clock.advance(1)
        self.successResultOf(drained)
        self.assertFalse(viewer.is_closed)

    def test_it_is_not_in_the_journal(self) -> None:
        viewer = self.watch()
        self.ask("/__admin/live")
        self.assertEqual(self.frame(viewer)["rows"], [])
        self.assertEqual(self.ask("/__admin/requests").json(), {"requests": []})


class PageTests(LiveCase):
    def test_its_files(self) -> None:
        for path, kind, part in [
            ("live", "text/html", b'<script type="module" src="live/live.js">'),
            ("live.css", "text/css", b"--paper: #fdfdfe;"),
            ("live.css", "text/css", b"#rows li"),
            ("live/live.js", "text/javascript", b'import "./controls.js";'),
            ("live/clock.js", "text/javascript", b"performance.now()"),
        ]:
            reply = self.ask(f"/__admin/{path}")
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.headers["content-type"], f"{kind}; charset=utf-8")
            self.assertEqual(reply.headers["x-content-type-options"], "nosniff")
            self.assertEqual(reply.headers["cache-control"], "no-store")
            self.assertIn(part, reply.body)

    def test_it_can_run_nothing_but_its_script(self) -> None:
        reply = self.ask("/__admin/live")
        policy = reply.headers["content-security-policy"].split("; ")
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
        ]:
            self.assertIn(part, policy)
        text = reply.body.decode()
        self.assertIsNone(re.search(r"\sstyle=|\son\w+=|<style|<script>", text))
        for name in SCRIPTS:
            script = self.script(name)
            self.assertIsNone(
                re.search("innerHTML|outerHTML|insertAdjacent|eval", script), name
            )

    def test_its_scripts_import_what_is_before_them(self) -> None:
        imported = {"live"}
        for number, name in enumerate(SCRIPTS):
            found = re.findall(r'^import .*"(.+)";$', self.script(name), re.MULTILINE)
            before = [f"./{other}.js" for other in SCRIPTS[:number]]
            self.assertLessEqual(set(found), set(before), name)
            imported.update(path[2:-3] for path in found)
        self.assertEqual(imported, set(SCRIPTS))

    def test_it_has_no_other_script(self) -> None:
        for name, shown in [("nope", "nope"), ("..", ".."), ("%1b", r"\x1b")]:
            reply = self.ask(f"/__admin/live/{name}.js")
            self.assertEqual(reply.status, 404, name)
            expected = ", ".join(SCRIPTS)
            told = {"error": "no such script", "value": shown, "expected": expected}
            self.assertEqual(reply.json(), told)
        self.assertEqual(self.ask("/__admin/live/..%2Fassets%2Flive.js").status, 404)

    def script(self, name: str) -> str:
        reply = self.ask(f"/__admin/live/{name}.js")
        self.assertEqual(reply.status, 200, name)
        return reply.body.decode()

    def test_only_for_operators(self) -> None:
        for path in ["live", "live.css", "live/live.js", "events"]:
            target = f"/__admin/{path}"
            reply = self.ask(target, peer="192.168.1.1")
            self.assertEqual(reply.status, 401, path)
            self.assertEqual(self.ask(target, "Host: evil.example").status, 403, path)
            reply = self.ask(target, "Origin: http://evil.example")
            self.assertEqual(reply.status, 403, path)
            self.assertEqual(self.ask(target, method="POST").status, 405, path)
            self.server.admin_token = "sesame"
            for peer in ("192.168.1.1", "127.0.0.1"):
                self.assertEqual(self.ask(target, peer=peer).status, 401, path)
            token = "Authorization: Bearer sesame"
            admitted = self.visit(target, token, peer="192.168.1.1")
            self.assertTrue(admitted.received.startswith(b"HTTP/1.1 200 "), path)
            admitted.leave()
            self.server.admin_token = None


class AsRunTests(ClockCase):
    def test_a_server_that_is_told_to_stop_does_not_wait_for_viewers(self) -> None:
        for command in (BY_MODULE, BY_TWISTD):
            with RunningServer(command) as server:
                with self.viewer(server):
                    pass
                with self.viewer(server):
                    # It would drain for much longer than this waits.
                    server.process.terminate()
                    server.process.wait(timeout=10)
                server.stop()
            self.assertNotIn("Traceback", server.output)

    def viewer(self, server: RunningServer) -> socket.socket:
        """A viewer who has seen two frames."""
        viewer = server.connect()
        viewer.sendall(b"GET /__admin/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while received.count(b"event: frame") < 2:
            more = viewer.recv(65536)
            self.assertTrue(more)
            received += more
        return viewer
