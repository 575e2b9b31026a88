"""What a request is for: its method, its target, its host, and who sent it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.server.model.host import is_host
from tests.server.every_channel import CHANNELS, EveryChannelCase
from tests.server.in_memory import Visit

HOSTS = [
    *("test", "test:8000", "a.b.c.", "1.2.3.4:65535", "my_host", "a:", "a%41!", "A-b"),
    *("[::1]", "[::1]:80", "[::ffff:1.2.3.4]", "x" * 63, "xn--bcher-kva.test", "_.a"),
]
NO_HOSTS = [
    *("a b", "u@b", "a:b", "a:65536", "a:99999", "a:999999", "a:-1", "a:1:2", ":80"),
    *("[::1", "::1", "[::1]x", "[::g]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[]"),
    *("a..b", ".a", ".", "x" * 64, ".".join(["x" * 60] * 5), "a/b", "a?b", "a#b"),
    *("\xc3\xa9.test", "\xff", "a%zz", "a,b c", "<a>", "http://a", "a\\b", 'a"'),
]


class HostTests(EveryChannelCase):
    def test_hosts(self) -> None:
        for host in HOSTS:
            reply = self.ask("/get", f"Host: {host}")
            self.assertEqual((reply.status), 200, host)
            self.assertEqual(reply.json()["url"], f"http://{host}/get")

    def test_no_hosts(self) -> None:
        for host in NO_HOSTS:
            # Also where the path is quoted, for nobody, or for operators.
            for path in ["/get", "/%67et", "/nowhere", "/healthz"]:
                reply = self.ask(path, f"Host: {host}")
                self.assertEqual(reply.status, 400, (host, path))
                self.assertEqual(reply.json()["control"], "host", host)

    def test_an_empty_host_is_ours(self) -> None:
        for host in ["Host:", "Host: \t"]:
            url = self.ask("/get", host).json()["url"]
            self.assertEqual(url, "http://10.0.0.1:12345/get")

    def test_one_host(self) -> None:
        for lines in ([], ["Host: a", "Host: a"]):
            for channel in CHANNELS:
                visit = self.visit(channel)
                request = "\r\n".join(["GET /get HTTP/1.1", *lines, "", ""])
                visit.send(request.encode())
                reply = visit.reply()
                self.assertEqual(reply.status, 400, channel)
                self.assertEqual(reply.json()["expected"], "one Host header")

    def test_none_where_it_may_be_so(self) -> None:
        for channel in CHANNELS:
            for peer in ("192.168.1.1", "unix"):
                visit = Visit(self.clock, site=self.visit(channel).site, peer=peer)
                visit.send(b"GET /get HTTP/1.0\r\n\r\n")
                self.assertIn(b'"url": "http://10.0.0.1:12345/get"', visit.received)

    def test_anything_is_a_host_or_is_none(self) -> None:
        @given(st.binary(max_size=30) | st.text("[]:.a1%@", max_size=12))
        def check(raw: bytes | str) -> None:
            raw = raw if isinstance(raw, bytes) else raw.encode()
            if is_host(raw):
                self.assertNotRegex(raw, rb"[\x00- @/\\\x7f-\xff]")

        check()


class TargetTests(EveryChannelCase):
    def test_a_whole_url_says_which_host(self) -> None:
        for target, host in {
            "http://other/get?a=1": "other",
            "HTTP://Other:81/get?a=1": "Other:81",
            "https://[::1]/get?a=1": "[::1]",
        }.items():
            echo = self.ask(target, "X-Forwarded-Proto: https").json()
            scheme = target.partition(":")[0].lower()
            self.assertEqual(echo["url"], f"{scheme}://{host}/get?a=1")
            self.assertEqual(echo["headers"]["Host"], host)
        reply = self.ask("http://other/absolute-redirect/1")
        self.assertEqual(reply.headers["location"], "http://other/get")
        self.assertEqual(self.ask("http://other?_status=418&_delay=0").status, 418)

    def test_a_whole_url_has_a_host_that_is_one(self) -> None:
        for target in ["http://u@b/get", "http://a:b/", "http:///get", "http://?a"]:
            self.assertEqual(self.ask(target).status, 400, target)

    def test_no_target(self) -> None:
        for target in [
            "xget",
            "get",
            "ftp://a/get",
            "a:80",
            "?a",
            "#",
            "http:/a",
            "HTTPS:",
        ]:
            reply = self.ask(target)
            self.assertEqual(reply.status, 400, target)
            self.assertEqual(reply.json()["control"], "target")
            expected = "a path such as /get, or a URL"
            if target.lower().startswith("http"):
                expected = "a URL with a host"
            self.assertEqual(reply.json()["expected"], expected)

    def test_a_path_that_is_no_utf_8(self) -> None:
        for part in ["%FF", "a%FFb/%00", "%C3", "%2F%2e%2e", "%ED%A0%80", "%", "%0A"]:
            reply = self.ask(f"/anything/{part}")
            self.assertEqual(reply.status, 200, part)
            self.assertEqual(reply.json()["url"], f"http://test/anything/{part}")
            self.assertEqual(self.ask(f"/{part}").status, 404, part)
        for path in ["/delay/%ff", "/status/%ff", "/bytes/%00", "/redirect/%c3"]:
            reply = self.ask(path)
            self.assertEqual(reply.status, 400, path)
            self.assertNotEqual(reply.json()["control"], "path")


class MethodTests(EveryChannelCase):
    def test_is_told_by_its_case(self) -> None:
        for method in ["get", "Get", "head", "gET"]:
            reply = self.ask("/get", method=method)
            self.assertEqual(reply.status, 405, method)
            self.assertEqual(reply.headers["allow"], "GET, HEAD, OPTIONS")
            self.assertEqual(self.ask("/anything", method=method).status, 200)
        self.assertEqual(
            self.ask("/post", method="post").headers["allow"], "POST, OPTIONS"
        )
        self.assertEqual(self.ask("/g%65t", method="get").status, 405)
        reply = self.ask("/response-headers", method="post")
        self.assertEqual(reply.headers["allow"], "GET, HEAD, POST, OPTIONS")

    def test_delay_takes_every_method(self) -> None:
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"]:
            echo = self.ask("/delay/0?a=1", method=method, body=b'{"b": 2}').json()
            self.assertEqual(echo["args"], {"a": "1"}, method)
            self.assertEqual(echo["json"], {"b": 2}, method)
        reply = self.ask("/delay/0", method="HEAD")
        self.assertEqual((reply.status, reply.body), (200, b""))


class SchemeTests(EveryChannelCase):
    def test_as_a_proxy_has_it(self) -> None:
        for header, scheme in {
            "X-Forwarded-Proto: https": "https",
            "X-Forwarded-Proto: HTTPS, http": "https",
            "X-Forwarded-Proto: http, https": "http",
            "X-Forwarded-Protocol: https": "https",
            "X-Forwarded-Ssl: on": "https",
            "X-Forwarded-Ssl: off": "http",
            "Forwarded: for=1.2.3.4;proto=https, for=5.6.7.8;proto=http": "https",
            'Forwarded: For="[::1]:5" ; Proto="https"': "https",
            # What is no scheme of ours is nobody's.
            "X-Forwarded-Proto: javascript": "http",
            "X-Forwarded-Proto: https://evil/": "http",
            "X-Forwarded-Proto: \xff": "http",
            "X-Forwarded-Proto:": "http",
            "Forwarded: proto": "http",
            'Forwarded: for="a,b" ;proto=https': "https",
            "Forwarded: for=a b;proto=https": "http",
            "Forwarded: for=a,proto=https": "http",
            f"Forwarded: for={'a' * 4079};proto=https": "https",
            # What is longer is not read.
            f"Forwarded: for={'a' * 4081};proto=https": "http",
            'Forwarded: for="a;proto=https"': "http",
            'Forwarded: for="\\";proto=https;"': "http",
            "Forwarded: for=a, proto=https": "http",
            "Forwarded: protocol=https": "http",
        }.items():
            echo = self.ask("/get", header).json()
            self.assertEqual(echo["url"], f"{scheme}://test/get", header)
            reply = self.ask("/absolute-redirect/1", header)
            self.assertEqual(reply.headers["location"], f"{scheme}://test/get")

    def test_the_first_that_says_one(self) -> None:
        headers = ("X-Forwarded-Proto: what", "Forwarded: proto=https")
        self.assertEqual(self.ask("/get", *headers).json()["url"][:8], "https://")
        headers = ("X-Forwarded-Proto: http", "Forwarded: proto=https")
        self.assertEqual(self.ask("/get", *headers).json()["url"][:7], "http://")


class PeerTests(EveryChannelCase):
    def test_ipv4_mapped_addresses_are_shown_as_ipv4(self) -> None:
        for channel in CHANNELS:
            for peer, shown in {
                "::ffff:1.2.3.4": "1.2.3.4",
                "::FFFF:102:304": "1.2.3.4",
                "fe80::1%eth0": "fe80::1%eth0",
                # As a proxy that speaks PROXY may call it.
                "no:address": "no:address",
                "::1": "::1",
            }.items():
                site = self.visit(channel).site
                visit = Visit(self.clock, site=site, peer=peer)
                visit.get("/ip")
                self.assertEqual(visit.reply().json(), {"origin": shown})
                operator = Visit(self.clock, site=site, peer="127.0.0.1")
                operator.get("/__admin/requests")
                (entry,) = operator.reply().json()["requests"]
                self.assertEqual(entry["peer"], shown)

    def test_so_is_our_own(self) -> None:
        for channel in CHANNELS:
            site = self.visit(channel).site
            visit = Visit(self.clock, site=site, here="::ffff:127.0.0.1")
            visit.get("/get", "Host:")
            self.assertEqual(visit.reply().json()["url"], "http://127.0.0.1:12345/get")
