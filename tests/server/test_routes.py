"""The app's answers, in memory and on a clock."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.routes import router
from tests import examples
from tests.guard import ClockCase
from tests.server.every_channel import EveryChannelCase
from tests.server.in_memory import Reply, Visit


class RoutesCase(ClockCase):
    def ask(self, target: str, *headers: str, method: str = "GET") -> Reply:
        """The answer to a request that does not have to wait."""
        visit = Visit(self.clock)
        visit.get(target, *headers, method=method)
        return visit.reply(method)


class RootTests(RoutesCase):
    def test_waits_for_one_two_or_three_whole_seconds(self) -> None:
        waited = set()
        for seed in range(30):
            visit = Visit(self.clock, seed=seed)
            visit.get("/")
            (call,) = self.clock.getDelayedCalls()
            waited.add(call.getTime() - self.clock.seconds())
            visit.leave()
        self.assertEqual(waited, {1.0, 2.0, 3.0})

    def test_answers_when_the_wait_is_over_and_not_before(self) -> None:
        visit = Visit(self.clock)
        visit.get("/?_delay=2")
        self.clock.advance(1.999)
        self.assertEqual(visit.received, b"")
        self.clock.advance(0.002)
        reply = visit.reply()
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.body, b'["wait time: 2sec"]')
        self.assertEqual(reply.headers["content-type"], "application/json")
        self.assertEqual(reply.headers["content-length"], "19")

    def test_says_what_it_was_asked_for_and_what_it_held(self) -> None:
        visit = Visit(self.clock)
        visit.get("/?_delay=1500ms")
        self.clock.advance(1.5004)
        reply = visit.reply()
        self.assertEqual(reply.body, b'["wait time: 1.5sec"]')
        self.assertEqual(
            reply.headers["server-timing"], "asked;dur=1500, held;dur=1500.4"
        )

    def test_no_wait_at_all(self) -> None:
        self.assertEqual(self.ask("/?_delay=0").body, b'["wait time: 0sec"]')

    def test_the_draw_is_told(self) -> None:
        visit = Visit(self.clock)
        visit.get("/")
        self.clock.advance(3)
        self.assertRegex(visit.reply().body, rb'\["wait time: [123]sec"\]')

    def test_two_delays(self) -> None:
        reply = self.ask("/?_delay=1&_delay=2")
        self.assertEqual(reply.status, 400)
        self.assertEqual(reply.json()["control"], "_delay")


class DelayTests(RoutesCase):
    def test_waits_then_echoes(self) -> None:
        visit = Visit(self.clock)
        visit.get("/delay/1m?a=1&b=2&b=3&c=", "X-Two: 1", "X-Two: 2")
        self.clock.advance(59.9)
        self.assertEqual(visit.received, b"")
        self.clock.advance(0.2)
        self.assertEqual(
            visit.reply().json(),
            {
                "args": {"a": "1", "b": ["2", "3"], "c": ""},
                "headers": {"Host": "test", "X-Two": "1,2"},
                "origin": "192.168.1.1",  # which StringTransport gives itself
                "url": "http://test/delay/1m?a=1&b=2&b=3&c=",
            },
        )

    def test_many_wait_at_the_same_time(self) -> None:
        site = Visit(self.clock).site
        visits = [Visit(self.clock, site=site) for _ in range(100)]
        for visit in visits:
            visit.get("/delay/1")
        self.clock.advance(1)
        self.assertEqual({visit.reply().status for visit in visits}, {200})

    def test_unreadable(self) -> None:
        for text in ["abc", "-1", "nan", "1e9", "inf", "1h", "%D9%A1", "1%0A", "%20"]:
            reply = self.ask(f"/delay/{text}")
            self.assertEqual(reply.status, 400, text)
            self.assertEqual(reply.headers["content-type"], "application/json")
            problem = reply.json()
            self.assertEqual(problem["control"], "delay")
            self.assertIn("seconds such as 1.5, 200ms, 2s", problem["expected"])

    def test_too_long(self) -> None:
        reply = self.ask("/delay/301")
        self.assertEqual(reply.status, 400)
        self.assertIn("at most 300 seconds", reply.json()["expected"])

    def test_max_delay_can_be_set(self) -> None:
        visit = Visit(self.clock, max_delay=0.5)
        visit.get("/delay/501ms")
        self.assertEqual(visit.reply().status, 400)

    def test_what_was_sent_is_shown_short_and_harmless(self) -> None:
        value = self.ask("/delay/%1b%5b31m" + "x" * 200).json()["value"]
        self.assertTrue(value.startswith("\\x1b[31mxxx"), value)
        self.assertLessEqual(len(value), 80)


class LeavingTests(RoutesCase):
    def test_the_timer_goes_with_the_client(self) -> None:
        visit = Visit(self.clock)
        visit.get("/delay/300")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        visit.leave()
        # And nothing is logged: no traceback, which the guard would see.
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_leaving_after_the_answer(self) -> None:
        visit = Visit(self.clock)
        visit.get("/delay/1")
        self.clock.advance(1)
        visit.leave()
        self.assertEqual(visit.reply().status, 200)


class OtherAnswersTests(RoutesCase):
    def test_healthz(self) -> None:
        reply = self.ask("/healthz")
        self.assertEqual((reply.status, reply.json()), (200, {"status": "ok"}))

    def test_head_is_the_head_of_get(self) -> None:
        got, head = self.ask("/delay/0"), self.ask("/delay/0", method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["content-length"], str(len(got.body)))

    def test_absolute_target(self) -> None:
        for target, url in {
            "http://other/delay/0?a=1": "http://other/delay/0?a=1",
            "HTTPS://other:1/delay/0?a=1": "https://other:1/delay/0?a=1",
        }.items():
            echo = self.ask(target).json()
            self.assertEqual((echo["url"], echo["args"]), (url, {"a": "1"}))
        self.assertEqual(self.ask("http://other?_delay=0").status, 200)

    def test_unknown_path(self) -> None:
        for path in [
            "/nope",
            "/delay",
            "/delay/",
            "/delay/1/2",
            "/delay//1",
            "/healthz/x",
            "/%2e",
        ]:
            reply = self.ask(path)
            self.assertEqual(reply.status, 404, path)
            self.assertEqual(reply.headers["content-type"], "application/json")
            self.assertEqual(reply.json()["value"], path)

    def test_wrong_method(self) -> None:
        for method in ["POST", "PUT", "DELETE", "BREW", "get", "Head"]:
            reply = self.ask("/get", method=method)
            self.assertEqual(reply.status, 405, method)
            self.assertEqual(reply.headers["allow"], "GET, HEAD, OPTIONS")
            self.assertEqual(reply.json()["value"], method)


def pieces_of_targets() -> st.SearchStrategy[str]:
    """What targets are made of, right and wrong."""
    text = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12)
    odd = st.text("0123456789.,:ms-e%af()=", min_size=1, max_size=8)
    numbers = odd | st.sampled_from(["0", "1", "50", "503", "200:1,500:2", "1s,2s"])
    names = ["delay", "status", "bytes", "stream-bytes", "stream", "range", "redirect"]
    names += ["relative-redirect", "absolute-redirect", "anything", "__admin"]
    names += [
        "base64",
        "base64/encode",
        "basic-auth/user",
        "bearer",
        "cache",
        "cookies",
    ]
    names += ["cookies/set", "cookies/set/a", "digest-auth/auth/user", "etag", "links"]
    names += ["digest-auth/auth/user/passwd/MD5", "image", "links/9", "dump"]
    paths = st.sampled_from(names).flatmap(
        lambda name: numbers.map(lambda value: f"/{name}/{value}")
    )
    whole = ["/", "/get", "/drip", "/sse", "/unstable", "/gzip", "/redirect-to"]
    whole += ["/brotli", "/cache", "/cookies", "/cookies/delete", "/cookies/set"]
    whole += ["/image", "/jsonl", "/trailers", "/uuid", "/dump/request", "/upload"]
    whole += ["/response-headers", "/healthz", "/metrics", "/__admin/requests"]
    return st.sampled_from(whole) | paths | text.map("/".__add__)


def queries() -> st.SearchStrategy[str]:
    """Parameters and controls, right and wrong, with any value."""
    controls = ["delay", "status", "drip", "rate", "size", "header", "seq", "limit"]
    controls += ["key", "body", "json", "idle"]
    names = [f"_{control}" for control in controls]
    names += ["seed", "chunk_size", "numbytes", "duration", "code", "delay", "url"]
    names += ["status_code", "count", "failure_rate", "since", "key", "absolute", "a"]
    values = st.text("0123456789.,:/ms-%afkBX()", max_size=12) | st.sampled_from(
        [
            *("uniform(1s,2s)", "normal(1,1)", "1e309", "uniform(", "200:1,500"),
            *("5/10s", "%ff", "%0d%0aA:b", "a:b", "503,200", "", "1s/3", "10kB"),
            *("0", "50"),
        ]
    )
    one = st.tuples(st.sampled_from(names), values).map("=".join)
    return st.lists(one, max_size=4).map("&".join)


class FaultOfOurOwnTests(EveryChannelCase):
    def test_a_route_that_fails(self) -> None:
        def fails(*_: object) -> Behaviour:
            raise ZeroDivisionError

        self.patch(router, "conditioned", fails)
        reply = self.ask("/get")
        self.assertEqual(reply.status, 500)
        self.assertEqual(reply.json(), {"error": "internal server error"})
        # It is logged, once by each channel.
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class AnyRequestTests(ClockCase):
    @settings(
        suppress_health_check=[HealthCheck.too_slow],
        deadline=None,
        max_examples=examples(500),
    )
    @given(
        st.sampled_from(["GET", "GET", "GET", "GET", "HEAD", "POST", "BREW"]),
        pieces_of_targets(),
        queries(),
    )
    def test_gets_an_answer_that_tells_its_timing(
        self, method: str, path: str, query: str
    ) -> None:
        target = f"{path}?{query}"
        visit = Visit(self.clock, peer="127.0.0.1")
        visit.get(target, method=method)
        # Longer than any delay and then any drip; what has a _rate may take for ever.
        self.clock.pump([1.0] * 20 + [10.0] * 70)
        try:
            if "_rate" not in target:
                visit.reply(method)
            self.assertRegex(
                visit.received,
                rb"\r\nServer-Timing: asked;dur=[\d.]+, held;dur=[\d.]+\r\n",
            )
        finally:
            visit.leave()
        # And nothing is logged: no traceback, which the guard would see.
        self.assertEqual(self.clock.getDelayedCalls(), [])
