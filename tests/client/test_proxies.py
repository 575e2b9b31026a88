"""Which proxy a request goes through: as curl reads it."""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.proxies import Proxies, Proxy, Route
from nbtwisted.client.target import Target


def proxy_for(url: str, proxies: Proxies) -> str | None:
    proxy = proxies.proxy_for(Target.parse(url).origin)
    return None if proxy is None else str(proxy)


class ProxyTests(SynchronousTestCase):
    def test_as_curl_reads_them(self) -> None:
        for text, shown in [
            ("p", "http://p:1080"),
            ("p:3128", "http://p:3128"),
            ("http://P.example:80/ignored", "http://p.example:80"),
            ("HTTP://[::1]:8080", "http://[::1]:8080"),
            ("socks5://127.1", "socks5://127.0.0.1:1080"),
            ("socks5h://bücher.example:9", "socks5h://xn--bcher-kva.example:9"),
        ]:
            proxy = Proxy.parse(text)
            self.assertEqual(str(proxy), shown)
            self.assertIsNone(proxy.authorization)

    def test_who_we_are(self) -> None:
        for text, user, password, authorization in [
            ("a:b@p", b"a", b"b", "Basic YTpi"),
            ("http://a@p", b"a", b"", "Basic YTo="),
            ("http://%40:%3a%ff@p", b"@", b":\xff", "Basic QDo6/w=="),
            ("http://a@b:c@p", b"a@b", b"c", "Basic YUBiOmM="),
            ("http://@p", b"", b"", "Basic Og=="),
            ("http://a\udcff@p", b"a\xff", b"", "Basic Yf86"),
        ]:
            proxy = Proxy.parse(text)
            self.assertEqual((proxy.user, proxy.password), (user, password))
            self.assertEqual(proxy.authorization, authorization)
            self.assertNotIn("@", str(proxy))
        self.assertNotIn("secret", repr(Proxy.parse("secret:secret@p")))

    def test_refused(self) -> None:
        for text, words in [
            ("socks4://p", "by 'socks4': expected http://, socks5:// or socks5h://"),
            ("socks://p", "by 'socks': expected http://"),
            ("https://secret@p", "by 'https': expected http://"),
            ("\x1b://p", "by '': expected http://"),
            ("", "no host: expected host"),
            ("secret@", "no host"),
            ("p:x", "the port cannot be read: expected a number from 1"),
            ("http://secret:secret@p:0", "the port cannot be read"),
            ("http://p q", "expected a name such as"),
            ("http://[x]", "expected an IPv6 address"),
            ("http://[::1]x", "something behind the brackets"),
            (f"socks5://{'u' * 256}@p", "a user name of 255 bytes at most"),
            (f"socks5h://u:{'x' * 256}@p", "a password of 255 bytes at most"),
        ]:
            with self.assertRaises(ValueError) as caught:
                Proxy.parse(text)
            self.assertIn(words, str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))
        Proxy.parse(f"socks5://{'u' * 255}:{'x' * 255}@p")
        Proxy.parse(f"http://{'u' * 256}@p")


class NoProxyTests(SynchronousTestCase):
    def test_as_curl_reads_it(self) -> None:
        for no_proxy, host, is_direct in [
            ("", "a.b", False),
            ("*", "a.b", True),
            (" * ", "10.0.0.1", True),
            ("x,*", "a.b", False),
            ("*.b", "a.b", False),
            ("b", "a.b", True),
            (".b", "a.b", True),
            (".a.b", "a.b", True),
            ("..b", "a.b", False),
            ("B.", "a.b", True),
            ("a.b", "a.b.", True),
            ("a.b", "xa.b", False),
            ("x.a.b", "a.b", False),
            ("x y,,z\ta.b", "a.b", True),
            ("a.b:80", "a.b", False),
            (".", "a.b", False),
            ("127.0.0.1", "127.1", True),
            ("0.0.1", "127.0.0.1", False),
            ("127.0.0.9/8", "127.0.0.1", True),
            ("128.0.0.0/8", "127.0.0.1", False),
            ("127.0.0.1/33", "127.0.0.1", False),
            ("127.0.0.1", "::1", False),
            ("::1", "::1", True),
            ("0::0:1", "::1", True),
            ("fe80::/10", "fe81::1", True),
            ("fe80::/10", "127.0.0.1", False),
        ]:
            proxies = Proxies.read("p", no_proxy)
            url = f"http://[{host}]/" if ":" in host else f"http://{host}/"
            direct = proxy_for(url, proxies) is None
            self.assertEqual(direct, is_direct, (no_proxy, host))


class ProxiesTests(SynchronousTestCase):
    def read(
        self, proxy: str | None = None, but: str | None = None, **environment: str
    ) -> tuple[str | None, ...]:
        proxies = Proxies.read(proxy, but, environment)
        return tuple(
            proxy_for(f"{scheme}://h/", proxies) for scheme in ("http", "https")
        )

    def test_the_environment(self) -> None:
        for environment, expected in [
            ({}, (None, None)),
            ({"http_proxy": "a"}, ("http://a:1080", None)),
            ({"HTTP_PROXY": "a"}, (None, None)),
            ({"https_proxy": "a"}, (None, "http://a:1080")),
            ({"HTTPS_PROXY": "a"}, (None, "http://a:1080")),
            ({"https_proxy": "a", "HTTPS_PROXY": "b"}, (None, "http://a:1080")),
            ({"https_proxy": "", "HTTPS_PROXY": "b"}, (None, "http://b:1080")),
            ({"all_proxy": "a", "ALL_PROXY": "b"}, ("http://a:1080", "http://a:1080")),
            ({"ALL_PROXY": "b", "http_proxy": "a"}, ("http://a:1080", "http://b:1080")),
            ({"all_proxy": "a", "no_proxy": "h"}, (None, None)),
            ({"all_proxy": "a", "NO_PROXY": "h"}, (None, None)),
            (
                {"all_proxy": "a", "NO_PROXY": "h", "no_proxy": "x"},
                ("http://a:1080", "http://a:1080"),
            ),
            # Many desktops set it so.
            (
                {"http_proxy": "a", "https_proxy": "a", "all_proxy": "socks://a"},
                ("http://a:1080", "http://a:1080"),
            ),
            ({"all_proxy": "socks://a", "no_proxy": "*"}, (None, None)),
        ]:
            self.assertEqual(self.read(**environment), expected, environment)

    def test_what_is_told_comes_first(self) -> None:
        both = ("http://b:1080", "http://b:1080")
        self.assertEqual(self.read("b", http_proxy="a"), both)
        self.assertEqual(self.read("", http_proxy="a"), (None, None))
        self.assertEqual(self.read("b", no_proxy="h"), (None, None))
        self.assertEqual(self.read("b", "", no_proxy="h"), both)
        self.assertEqual(self.read("b", "x", no_proxy="h"), both)
        self.assertEqual(self.read(None, "h", all_proxy="b"), (None, None))

    def test_a_variable_that_cannot_be_read_is_named(self) -> None:
        for name in ("http_proxy", "HTTPS_PROXY", "all_proxy"):
            with self.assertRaises(ValueError) as caught:
                self.read(**{name: "ftp://a"})
            self.assertIn(f"{name}: a proxy by 'ftp'", str(caught.exception))

    def test_what_a_connection_is_good_for(self) -> None:
        http, https = (Target.parse(f"{s}://h/").origin for s in ("http", "https"))
        for text, shares in [("http://p", True), ("socks5://p", False)]:
            proxies = Proxies.read(text)
            proxy = proxies.http
            route = Route(None if shares else http, proxy)
            self.assertEqual(proxies.route(http), route)
            self.assertIs(route.is_tunnel, not shares)
            self.assertEqual(proxies.route(https), Route(https, proxy))
            self.assertTrue(proxies.route(https).is_tunnel)
        route = Proxies.read("p", "h").route(http)
        self.assertEqual(route, Route(http, None))
        self.assertFalse(route.is_tunnel)

    def test_other_processes_may_have_them(self) -> None:
        proxies = Proxies.read("a:b@p", "x")
        proxy_for("http://h/", proxies)
        self.assertEqual(pickle.loads(pickle.dumps(proxies)), proxies)
