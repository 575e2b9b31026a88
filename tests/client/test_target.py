from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.errors import BadURL
from nbtwisted.client.header import parse_header
from nbtwisted.client.target import LONGEST_URL, Target, presentable, shown
from nbtwisted.client.writing import write_message
from tests.guard import ClockCase


def request_lines(url: str) -> list[str]:
    return write_message(Target.parse(url)).head.decode("ascii").split("\r\n")


class TargetTests(ClockCase):
    def test_where_to_connect(self) -> None:
        for url, host, port in [
            ("http://example.com", "example.com", 80),
            ("http://example.com:8080/x", "example.com", 8080),
            ("http://EXAMPLE.com./", "example.com.", 80),
            ("HTTP://127.0.0.1:1/", "127.0.0.1", 1),
            ("http://[::1]:65535/", "::1", 65535),
            ("http://[::FFFF:102:304]/", "::ffff:1.2.3.4", 80),
            ("http://[2001:DB8:0:0::1]/", "2001:db8::1", 80),
            ("http://my_host/", "my_host", 80),
            ("http://bücher.example/", "xn--bcher-kva.example", 80),
            ("http://faß.de/", "xn--fa-hia.de", 80),  # IDNA 2008, not 2003's fass.de
        ]:
            target = Target.parse(url)
            self.assertEqual(
                (target.origin.host, target.origin.port), (host, port), url
            )

    def test_the_whole_request(self) -> None:
        lines = request_lines("http://example.com/a?b=c#fragment")
        agent = lines.pop(2)
        self.assertRegex(agent, r"^User-Agent: nbtwisted/[0-9.]+$")
        self.assertEqual(
            lines,
            [
                *("GET /a?b=c HTTP/1.1", "Host: example.com"),
                *("Accept: */*", "Connection: close", "", ""),
            ],
        )

    def test_request_target(self) -> None:
        for url, target in [
            ("http://h", "/"),
            ("http://h?a=b", "/?a=b"),
            ("http://h?", "/?"),
            ("http://h/?#", "/?"),
            ("http://h/a??b=?", "/a??b=?"),
            ("http://h/#?x", "/"),
            ("http://h//a", "//a"),
            ("http://h/a/./b/../c", "/a/c"),
            ("http://h/../..", "/"),
            ("http://h/a/..?b/../c", "/?b/../c"),
            ("http://h/%2e%2e/a", "/%2e%2e/a"),
            ("http://h/a%20b%zz", "/a%20b%zz"),
            ("http://h/é?ü=ñ", "/%C3%A9?%C3%BC=%C3%B1"),
            ('http://h/"<>\\^`{|}', "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
            (
                "http://h/a;b=c,d!e$f&g'(h)*i+j:k@l~m-n._",
                "/a;b=c,d!e$f&g'(h)*i+j:k@l~m-n._",
            ),
        ]:
            self.assertEqual(request_lines(url)[0], f"GET {target} HTTP/1.1", url)

    def test_host_header(self) -> None:
        for url, host in [
            ("http://h:80/", "h"),
            ("http://h:8080/", "h:8080"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("http://ü.example/", "xn--tda.example"),
        ]:
            self.assertIn(f"Host: {host}", request_lines(url))

    def test_hosts_as_browsers_and_curl_have_them(self) -> None:
        for typed, host in [
            ("☃.net", "xn--n3h.net"),
            ("my_host.bücher.test", "my_host.xn--bcher-kva.test"),
            ("BÜCHER.test", "xn--bcher-kva.test"),
            ("B\u0075\u0308CHER.test", "xn--bcher-kva.test"),
            ("faß.de", "xn--fa-hia.de"),
            ("FAẞ.de", "xn--fa-hia.de"),
            ("βόλος.com", "xn--nxasmm1c.com"),
            ("日本語。ｊｐ", "xn--wgv71a119e.jp"),
            ("ａ．ｂ｡c", "a.b.c"),
            ("ⅷ.test", "viii.test"),
            ("a\u00adb\u200b.test", "ab.test"),
            ("👍.test", "xn--yp8h.test"),
            ("👨\u200d👩\u200d👧.test", "xn--pq8hbd.test"),
            # Of a letter that is newer than this Python, it cannot tell what joins it.
            ("\U0001fae8\u200d👍.test", "xn--yp8hv9h.test"),
            ("نامه\u200cای.com", "xn--mgba3gch31f060k.com"),
            ("xn--N3H.net", "xn--n3h.net"),
            ("xn--a.bücher.test", "xn--a.xn--bcher-kva.test"),
            ("b%C3%BCcher.test", "xn--bcher-kva.test"),
            ("loc%61lhost", "localhost"),
            ("bücher.test.", "xn--bcher-kva.test."),
            ("ab--cd.test", "ab--cd.test"),
        ]:
            self.assertEqual(
                Target.parse(f"http://{typed}:1/").origin.host, host, typed
            )

    def test_ipv4_addresses_in_each_form(self) -> None:
        for typed in (
            *("127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0X7F000001", "2130706433"),
            *(
                "0177.0.0.01",
                "017700000001",
                "１２７.０.０.１",
                "127。1",
                "%31%32%37.1",
            ),
        ):
            self.assertEqual(
                Target.parse(f"http://{typed}/").origin.host, "127.0.0.1", typed
            )
        # These are names, which nobody has.
        for typed in ("1.2.3.256", "1.2.3.4.5", "4294967296", "08.1", "0x.1", "127.1."):
            self.assertEqual(Target.parse(f"http://{typed}/").origin.host, typed)
        self.assertEqual(
            Target.parse("http://255.255.65535/").origin.host, "255.255.255.255"
        )

    def test_without_a_scheme_as_with_curl(self) -> None:
        for typed, url, host, port in [
            ("localhost:8000/", "http://localhost:8000/", "localhost", 8000),
            ("localhost:8000", "http://localhost:8000", "localhost", 8000),
            ("localhost", "http://localhost", "localhost", 80),
            ("127.0.0.1:1?x", "http://127.0.0.1:1?x", "127.0.0.1", 1),
            ("[::1]:8000/", "http://[::1]:8000/", "::1", 8000),
            ("h/http://x", "http://h/http://x", "h", 80),
            ("me:pw@h:1/x", "http://h:1/x", "h", 1),
            ("https.test:1", "http://https.test:1", "https.test", 1),
        ]:
            target = Target.parse(typed)
            self.assertEqual(target.url, url, typed)
            self.assertEqual(
                (target.origin.host, target.origin.port), (host, port), typed
            )
            self.assertFalse(target.origin.is_tls)

    def test_ports(self) -> None:
        for typed, port in [("h:", 80), ("h:0080", 80), ("h:65535", 65535)]:
            self.assertEqual(Target.parse(f"http://{typed}/").origin.port, port)
        self.assertEqual(Target.parse("https://h/").origin.port, 443)

    def test_the_url_as_sent(self) -> None:
        for typed, sent in [
            ("HTTP://ME:pw@H:080/a/../ü?ü#ü", "http://h/%C3%BC?%C3%BC"),
            ("https://bücher.test:443", "https://xn--bcher-kva.test/"),
            ("http://[::0001]:8000/?#", "http://[::1]:8000/?"),
            ("0x7f.1:1#x", "http://127.0.0.1:1/"),
        ]:
            self.assertEqual(Target.parse(typed).sent_url, sent)

    def test_headers_go_out_as_they_were_typed(self) -> None:
        # An argument's bytes that are not UTF-8 are surrogates in Python.
        target = Target.parse("http://h/")
        for typed, sent in [
            ("X: ü ☃ ", "X: ü ☃".encode()),
            ("X:\udcff\t\udc80", b"X: \xff\t\x80"),
            ("x-y:  a:b  c ", b"x-y: a:b  c"),
        ]:
            request = write_message(target, "GET", [parse_header(typed)]).head
            self.assertIn(b"\r\n" + sent + b"\r\n", request)

    def test_longer_than_any(self) -> None:
        Target.parse("http://h/" + "x" * (LONGEST_URL - 9))
        with self.assertRaisesRegex(BadURL, "longer than 65536 bytes"):
            Target.parse("http://h/" + "x" * (LONGEST_URL - 8))

    def test_user_and_password_are_sent_and_never_shown(self) -> None:
        target = Target.parse("http://me:s%3Acret@h:1/x")
        token = b64encode(b"me:s:cret")
        self.assertIn(
            b"\r\nAuthorization: Basic %b\r\n" % token, write_message(target).head
        )
        self.assertEqual(target.url, "http://h:1/x")
        self.assertNotIn("cret", repr(target))
        self.assertNotIn(token.decode(), repr(target))

    def test_bad_urls_say_what_was_expected(self) -> None:
        for url, words in [
            ("", "no host: expected http://"),
            ("ftp://x", "scheme 'ftp': expected http://"),
            ("//x/", "no host: expected http://"),
            ("/x", "no host: expected http://"),
            ("?x", "no host: expected http://"),
            ("http:x", "no host: expected http://"),
            ("HTTP:", "no host: expected http://"),
            ("HTTP://", "no host: expected http://"),
            ("foo:bar", "the port cannot be read"),
            ("http://h:" + "0" * 5000 + "1/", "from 1 to 65535"),
            ("http://h:" + "9" * 5000 + "/", "from 1 to 65535"),
            ("http://h:+1/", "from 1 to 65535"),
            ("http://h:1_0/", "from 1 to 65535"),
            ("http://h:٣/", "from 1 to 65535"),
            ("http://::1/", "an IPv6 address in brackets"),
            ("http://h[::1]/", "an IPv6 address in brackets"),
            ("http://[::1]]/", "[address]:port"),
            ("http://[::1]:80:80/", "[address]:port"),
            ("http://[]/", "IPv6"),
            ("http://[v1.x]/", "IPv6"),
            ("http://[127.0.0.1]/", "IPv6"),
            ("httpss://x/", "expected http:// or https://"),
            ("http://", "no host"),
            ("http:///path", "no host"),
            ("http://:80/", "no host"),
            ("http://host:99999/", "from 1 to 65535"),
            ("http://host:-1/", "from 1 to 65535"),
            ("http://host:x/", "from 1 to 65535"),
            ("http://host:0/", "1 to 65535"),
            ("http://a b/", "no spaces"),
            ("http://a/\r\nX: y", "no control characters"),
            ("http://a/\tb", "no control characters"),
            ("http://a/\0", "no control characters"),
            ("http://a/\x7f", "no control characters"),
            ("http://a/\udc80", "not UTF-8"),
            ("http://[::1/", "IPv6"),
            ("http://[x]/", "IPv6"),
            ("http://[::1]x/", "[address]"),
            ("http://[::1%25eth0]/", "without a zone"),
            ("http://a..b/", "a name such as"),
            ("http://-é-/", "a name such as"),
            ("http://ü\u0378/", "a name such as"),
            ("http://\u0301a/", "a name such as"),
            ("http://a。。ü/", "a name such as"),
            ("http://℀.test/", "a name such as"),
            ("http://\u200d/", "a name such as"),
            ("http://" + "ü" * 60 + "/", "a name such as"),
            ("http://" + "ü" * 60_000 + "/", "a name such as"),
            ("http://h%2f/", "a name such as"),
            ("http://h%40/", "a name such as"),
            ("http://h%0d%0aX/", "a name such as"),
            ("http://h%FF/", "a name such as"),
            ("http://h\\x/", "a name such as"),
            ("http://h%00/", "a name such as"),
            ("http://a%20b/", "a name such as"),
            ("http://" + "a" * 64 + "/", "a name such as"),
            ("http://" + "a." * 130 + "/", "a name such as"),
        ]:
            with self.assertRaises(BadURL, msg=url) as caught:
                Target.parse(url)
            self.assertIn(words, str(caught.exception), url)
            self.assertNotIn("\n", str(caught.exception), url)
            self.assertLess(len(str(caught.exception)), 300, url)

    def test_no_error_tells_a_password(self) -> None:
        for url in [
            "ftp://me:secret@h/",
            "http://me:secret@/",
            "http://me:secret@[::1]x/",
            "http://me:secret@\u2100.com/",
            "http://me:secret@a..b/",
            "http://me:secret@h:x/",
            "http://me:sec/secret@h/",
            "http://me:sec#secret@h/",
            "http://me:secret @h/",
            "me:secret@h:x",
        ]:
            with self.assertRaises(BadURL) as caught:
                Target.parse(url)
            self.assertNotIn("sec", str(caught.exception), url)
            self.assertNotIn("sec", shown(url), url)

    @given(st.text(max_size=40).map("http://".__add__) | st.text(max_size=40))
    def test_no_url_can_end_a_line_of_the_request(self, url: str) -> None:
        try:
            target = Target.parse(url)
        except BadURL as error:
            self.assertTrue(str(error).isprintable(), str(error))
            return
        lines = write_message(target).head.split(b"\r\n")
        self.assertIn(len(lines), (7, 8), lines)  # with Authorization, 8
        self.assertEqual(lines[0].count(b" "), 2)
        self.assertEqual(lines[-2:], [b"", b""])
        for line in lines:
            self.assertTrue(line.decode("ascii").isprintable(), line)

    def test_shown(self) -> None:
        self.assertEqual(shown("http://u:p@h/\r\n\x1b"), "http://h/\\r\\n\\x1b")
        self.assertEqual(shown("ftp://u:p@h/a@b"), "ftp://b")
        self.assertEqual(shown("u:p\n@h"), "h")
        self.assertLessEqual(len(shown("x" * 9999)), 200)

    def test_as_results_have_it(self) -> None:
        self.assertEqual(
            presentable("u:p@h:80/" + "x" * 999), "http://h:80/" + "x" * 999
        )
        self.assertEqual(presentable("u:p@a b"), "a b")
