"""The paths of cookies, in memory."""

from __future__ import annotations

from http.cookies import SimpleCookie

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.every_channel import EveryChannelCase

EPOCH = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"


class CookiesCase(EveryChannelCase):
    def set_by(self, target: str, *headers: str) -> list[str]:
        """The cookies that a redirection to the echo of all sets."""
        visit = self.visit("ours")
        visit.get(target, *headers)
        reply = visit.reply()
        self.assertEqual((reply.status, reply.headers["location"]), (302, "/cookies"))
        lines = visit.received.decode().split("\r\n")
        fields = (line.partition(": ") for line in lines)
        return [value for name, _, value in fields if name == "Set-Cookie"]

    def shown(self, *headers: str) -> dict[str, str]:
        cookies: dict[str, str] = self.ask("/cookies", *headers).json()["cookies"]
        return cookies

    def refused(self, target: str) -> str:
        reply = self.ask(target)
        self.assertEqual(reply.status, 400, target)
        expected: str = reply.json()["expected"]
        return expected


class SetTests(CookiesCase):
    def test_by_parameters(self) -> None:
        found = self.set_by("/cookies/set?a=1&b=&_delay=0")
        self.assertEqual(found, ["a=1; Path=/", "b=; Path=/"])
        self.assertEqual(self.set_by("/cookies/set"), [])

    def test_by_the_path(self) -> None:
        self.assertEqual(self.set_by("/cookies/set/a/1"), ["a=1; Path=/"])

    def test_secure_where_the_client_uses_tls(self) -> None:
        found = self.set_by("/cookies/set?a=1", "X-Forwarded-Proto: https")
        self.assertEqual(found, ["a=1; Secure; Path=/"])

    def test_deleted(self) -> None:
        found = self.set_by("/cookies/delete?a=&b")
        self.assertEqual(found, [f"a=; {EPOCH}; Path=/", f"b=; {EPOCH}; Path=/"])

    def test_values_that_need_quotes(self) -> None:
        for escaped, value in [
            ("a%20b", '"a b"'),
            ("a%2Cb", r'"a\054b"'),
            ("a%3Bb", r'"a\073b"'),
            ("%22%5C", r'"\"\\"'),
            ("%C3%A9", r'"\303\251"'),
            (
                "!%23%24%25%26%27()*%2B-./:%3C=%3E?@[]^_%60{|}~",
                "!#$%&'()*+-./:<=>?@[]^_`{|}~",
            ),
        ]:
            found = self.set_by(f"/cookies/set?a={escaped}")
            self.assertEqual(found, [f"a={value}; Path=/"])

    def test_names_that_are_no_tokens(self) -> None:
        for name in [
            "",
            "a%20b",
            "a%3Bb",
            "a%0D%0ASet-Cookie:b",
            "a%00",
            "%C3%A9",
            "a%3D",
        ]:
            for target in [f"/cookies/set?{name}=1", f"/cookies/delete?{name}=1"]:
                self.assertIn("a name of letters", self.refused(target), target)
        self.assertIn("a name of letters", self.refused("/cookies/set/a;b/1"))

    def test_values_that_no_cookie_has(self) -> None:
        for value in ["%0D%0AX:y", "%00", "%7F", "%09"]:
            self.assertIn("control characters", self.refused(f"/cookies/set?a={value}"))
            self.assertIn("control characters", self.refused(f"/cookies/set/a/{value}"))

    def test_of_two_values(self) -> None:
        self.assertEqual(self.refused("/cookies/set?a=1&a=2"), "one value")
        self.assertEqual(self.set_by("/cookies/set?a=1&a=1"), ["a=1; Path=/"])

    def test_longer_than_browsers_keep(self) -> None:
        self.assertEqual(len(self.set_by(f"/cookies/set?a={'b' * 4094}")), 1)
        self.assertIn("4096", self.refused(f"/cookies/set?a={'b' * 4095}"))
        # It is what is sent that counts.
        self.assertIn("4096", self.refused(f"/cookies/set?a={'%3B' * 1024}"))

    @settings(deadline=None)
    @given(
        st.text(
            st.characters(codec="utf-8", min_codepoint=0x20, exclude_characters="\x7f"),
            max_size=200,
        )
    )
    def test_what_was_set_comes_back(self, value: str) -> None:
        escaped = "".join(f"%{byte:02x}" for byte in value.encode())
        (line,) = self.set_by(f"/cookies/set?a={escaped}")
        pair = line.removesuffix("; Path=/")
        self.assertEqual(self.shown(f"Cookie: {pair}"), {"a": value})
        # Python's own reading agrees, of what is of ISO 8859-1.
        read = SimpleCookie(pair)["a"].value.encode("latin-1").decode()
        self.assertEqual(read, value)


class EchoTests(CookiesCase):
    def test_as_they_come(self) -> None:
        self.assertEqual(self.shown(), {})
        self.assertEqual(
            self.shown("Cookie: a=1;b = 2 ; c"), {"a": "1", "b": "2", "c": ""}
        )
        self.assertEqual(self.shown('Cookie: a="b c"; d="'), {"a": "b c", "d": '"'})

    def test_the_first_of_a_name(self) -> None:
        self.assertEqual(
            self.shown("Cookie: a=1; a=2", "Cookie: a=3; b=4"), {"a": "1", "b": "4"}
        )

    def test_odd(self) -> None:
        for header, shown in [
            ("=1", {}),
            (";;; ;", {}),
            ("a=b=c", {"a": "b=c"}),
            ('a="\\303"', {"a": "\ufffd"}),
            ('a="\\999\\8"', {"a": "9998"}),
            ('a="\\"', {"a": "\\"}),
            ("a=\xff", {"a": "\ufffd"}),
        ]:
            self.assertEqual(self.shown(f"Cookie: {header}"), shown, header)

    def test_too_many(self) -> None:
        many = "; ".join(f"a{number}=" for number in range(1000))
        self.assertEqual(len(self.shown(f"Cookie: {many}")), 1000)
        for cookies in [f"{many}; b=1", "a=" + "b" * 32 * 1024]:
            reply = self.ask("/cookies", f"Cookie: {cookies}", channels=("ours",))
            self.assertEqual(reply.status, 400)
            self.assertIn("1000", reply.json()["expected"])
