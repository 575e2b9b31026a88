"""Digest authentication, as clients do it, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http.cookies import SimpleCookie
from itertools import product
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from werkzeug.http import parse_dict_header

from tests.guard import ClockCase
from tests.server.in_memory import CHANNEL, Reply, Visit

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256, "SHA-512": hashlib.sha512}


class Client:
    """Keeps cookies, and the parameters of the last challenge."""

    def __init__(self, clock: Clock, target: str, *, seed: int = 7) -> None:
        self._site = Visit(clock, seed=seed, channel=CHANNEL).site
        self._clock = clock
        self._target = target
        self.jar: dict[str, str] = {}
        self.challenge: dict[str, str | None] = {}

    def ask(self, *headers: str, body: bytes = b"") -> Reply:
        """Send a request with the cookies; keep those of the response."""
        visit = Visit(self._clock, site=self._site)
        if self.jar:
            pairs = "; ".join(f"{name}={value}" for name, value in self.jar.items())
            headers = (*headers, f"Cookie: {pairs}")
        visit.get(self._target, *headers, f"Content-Length: {len(body)}")
        visit.send(body)
        reply = visit.reply()
        for line in visit.received.partition(b"\r\n\r\n")[0].decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Set-Cookie":
                for cookie in SimpleCookie(value).values():
                    self.jar[cookie.key] = cookie.coded_value
        if reply.status == 401:
            challenge = reply.headers["www-authenticate"]
            self.challenge = parse_dict_header(challenge.removeprefix("Digest "))
        return reply

    def answer(
        self,
        passwd: str = "passwd",
        *,
        user: str = "user",
        qop: str | None = "auth",
        count: int = 1,
        body: bytes = b"",
        claimed: bytes | None = None,
        instead: Mapping[str, str | None] = MappingProxyType({}),
    ) -> Reply:
        """Answer the last challenge, with parameters in place of the right ones."""
        told = self.challenge
        algorithm = told["algorithm"] or ""
        kind = HASHES[algorithm.removesuffix("-sess")]

        def hashed(*parts: str | bytes | None) -> str:
            raw = [p.encode() if isinstance(p, str) else p or b"" for p in parts]
            return kind(b":".join(raw)).hexdigest()

        who = hashed(user, told["realm"], passwd)
        if algorithm.endswith("-sess"):
            who = hashed(who, told["nonce"], "0a4f113b")
        what = ["GET", instead.get("uri", self._target)]
        if qop == "auth-int":
            what.append(hashed(body if claimed is None else claimed))
        when = [told["nonce"]]
        if qop:
            when += [f"{count:08x}", "0a4f113b", qop]
        values = {
            "username": user,
            "realm": told["realm"],
            "nonce": told["nonce"],
            "uri": self._target,
            "algorithm": algorithm,
            "opaque": told["opaque"],
            "qop": qop,
            "nc": f"{count:08x}" if qop else None,
            "cnonce": "0a4f113b" if qop else None,
            "response": hashed(who, *when, hashed(*what)),
            **instead,
        }
        sent = ", ".join(f'{name}="{value}"' for name, value in values.items() if value)
        return self.ask(f"Authorization: Digest {sent}", body=body)


class DigestCase(ClockCase):
    def client(self, target: str, *, seed: int = 7) -> Client:
        client = Client(self.clock, target, seed=seed)
        self.assertEqual(client.ask().status, 401)
        return client

    def is_stale(self, reply: Reply) -> bool:
        self.assertEqual(reply.status, 401)
        return "stale=true" in reply.headers["www-authenticate"].lower()


class AsHttpbinTests(DigestCase):
    """What httpbin's own tests expect."""

    QOPS = (None, "auth", "auth-int")

    def test_every_combination(self) -> None:
        bodies = (b"", b"request payload")
        afters = (None, 1, 4)
        for qop, name, body, after in product(self.QOPS, HASHES, bodies, afters):
            target = f"/digest-auth/{qop or 'none'}/user/passwd/{name}"
            client = self.client(target if after is None else f"{target}/{after}")
            self.assertEqual(client.challenge["algorithm"], name)
            self.assertEqual(client.challenge.get("qop"), qop)
            for count in range(1, (after or 1) + 1):
                reply = client.answer(qop=qop, body=body, count=count)
                self.assertEqual(reply.status, 200, (target, count))
                expected = {"authenticated": True, "user": "user"}
                self.assertEqual(reply.json(), expected)
            if after is not None:
                reply = client.answer(qop=qop, body=body, count=after + 1)
                self.assertTrue(self.is_stale(reply))
                # The nonce of that challenge is good again.
                self.assertEqual(client.answer(qop=qop, body=body).status, 200)

    def test_without_an_algorithm(self) -> None:
        client = self.client("/digest-auth/auth/user/passwd")
        self.assertEqual(client.challenge["algorithm"], "MD5")
        self.assertEqual(client.answer(instead={"algorithm": None}).status, 200)

    def test_a_wrong_password_and_then_the_same_nonce(self) -> None:
        for qop, name in product(self.QOPS, HASHES):
            client = self.client(f"/digest-auth/{qop or 'none'}/user/passwd/{name}/3")
            first = client.challenge
            self.assertFalse(self.is_stale(client.answer("wrong", qop=qop)))
            client.challenge = first
            self.assertTrue(self.is_stale(client.answer(qop=qop)))

    def test_of_another_realm(self) -> None:
        sent = (
            'Digest username="user",realm="wrong",nonce="wrong",'
            'uri="/digest-auth/user/passwd/MD5",response="wrong",opaque="wrong"'
        )
        client = self.client("/digest-auth/auth/user/passwd/MD5")
        self.assertFalse(self.is_stale(client.ask(f"Authorization: {sent}")))

    def test_another_scheme(self) -> None:
        client = self.client("/digest-auth/auth/myname/mysecret")
        for sent in ["Basic 1234abcd", "", "Digest"]:
            self.assertFalse(self.is_stale(client.ask(f"Authorization: {sent}")))

    def test_require_cookie(self) -> None:
        target = "/digest-auth/auth/user/passwd?require-cookie=1"
        client = self.client(target)
        self.assertEqual(client.answer().status, 200)
        client.jar = {"other": "cookie"}
        self.assertEqual(client.answer().status, 403)
        client.jar = {}
        self.assertFalse(self.is_stale(client.answer()))


class MoreTests(DigestCase):
    def test_sessions(self) -> None:
        for name in ("MD5", "SHA-256", "SHA-512"):
            client = self.client(f"/digest-auth/auth-int/user/passwd/{name}-sess")
            self.assertEqual(client.answer(qop="auth-int", body=b"x").status, 200)

    def test_both_qualities_are_offered(self) -> None:
        for qop in ("auth", "auth-int"):
            client = self.client("/digest-auth/auth,auth-int/user/passwd")
            self.assertEqual(client.challenge["qop"], "auth, auth-int")
            self.assertEqual(client.answer(qop=qop).status, 200)

    def test_of_a_body_that_was_changed(self) -> None:
        client = self.client("/digest-auth/auth-int/user/passwd")
        reply = client.answer(qop="auth-int", body=b"y", claimed=b"x")
        self.assertFalse(self.is_stale(reply))

    def test_names_in_other_scripts(self) -> None:
        client = self.client("/digest-auth/auth/%C3%A9/%E7%A7%92")
        # A header is bytes, which the test's client writes as ISO 8859-1.
        latin = "é".encode().decode("latin-1")
        self.assertEqual(
            client.answer("秒", user="é", instead={"username": latin}).status, 200
        )

    def test_each_challenge_has_another_nonce_that_the_seed_decides(self) -> None:
        nonces = set()
        for seed in (7, 7, 8):
            client = self.client("/digest-auth/auth/user/passwd", seed=seed)
            nonces.add(client.challenge["nonce"])
            client.ask()
            nonces.add(client.challenge["nonce"])
        self.assertEqual(len(nonces), 4)

    def test_a_nonce_of_another_server_is_stale(self) -> None:
        client = self.client("/digest-auth/auth/user/passwd")
        other = self.client("/digest-auth/auth/user/passwd", seed=8)
        client.challenge = other.challenge
        self.assertTrue(self.is_stale(client.answer()))
        # What it was is not kept: a stranger may have written it.
        self.assertNotIn("last_nonce", client.jar)

    def test_a_stale_nonce_does_not_tell_that_a_wrong_password_is_right(self) -> None:
        client = self.client("/digest-auth/auth/user/passwd/MD5/0")
        self.assertTrue(self.is_stale(client.answer()))
        self.assertFalse(self.is_stale(client.answer("wrong")))

    def test_a_cookie_that_a_stranger_wrote(self) -> None:
        for value, then in [("x", "never"), ("-5", "never"), ("9" * 999, "never")]:
            client = self.client("/digest-auth/auth/user/passwd/MD5/2")
            client.jar["stale_after"] = value
            self.assertEqual(client.answer().status, 200)
            self.assertEqual(client.jar["stale_after"], then)

    def test_malformed(self) -> None:
        cases: list[tuple[dict[str, str | None], str]] = [
            ({"qop": "auth-int"}, "qop=auth"),
            ({"qop": None}, "qop=auth"),
            ({"algorithm": "SHA-256"}, "algorithm=MD5"),
            ({"uri": "/other"}, "target"),
            ({"uri": None}, "target"),
            ({"nc": "1"}, "nc=00000001"),
            ({"nc": None}, "nc=00000001"),
            ({"cnonce": None}, "cnonce"),
        ]
        for instead, expected in cases:
            client = self.client("/digest-auth/auth/user/passwd")
            reply = client.answer(qop=instead.get("qop", "auth"), instead=instead)
            self.assertEqual(reply.status, 400, instead)
            self.assertEqual(reply.json()["control"], "authorization")
            self.assertIn(expected, reply.json()["expected"])

    def test_a_whole_url_is_the_same_target(self) -> None:
        # RFC 7616, 3.4.6: a proxy may have changed it.
        client = self.client("/digest-auth/auth/user/passwd?a=b")
        url = "http://test/digest-auth/auth/user/passwd?a=b"
        self.assertEqual(client.answer(instead={"uri": url}).status, 200)

    def test_unreadable(self) -> None:
        client = self.client("/digest-auth/auth/user/passwd")
        for sent in [
            "realm",
            'realm="',
            'realm="a" nonce="b"',
            'realm="a",Realm="a"',
            "=a",
            '"',
            "\xff",
            'a="b\\"',
        ]:
            reply = client.ask(f"Authorization: Digest {sent}")
            self.assertEqual(reply.status, 400, sent)
            self.assertIn("realm=", reply.json()["expected"])
            self.assertNotIn("value", reply.json())

    def test_longer_than_is_read(self) -> None:
        client = self.client("/digest-auth/auth/user/passwd")
        reply = client.ask(f'Authorization: Digest a="{"b" * 8192}"')
        self.assertEqual(reply.status, 400)
        self.assertIn("8192", reply.json()["expected"])

    def test_the_path(self) -> None:
        for path, control in [
            ("wrong-qop/u/p", "qop"),
            ("AUTH/u/p", "qop"),
            ("auth/u/p/SHA-1", "algorithm"),
            ("none/u/p/MD5-sess", "algorithm"),
            ("auth/u/p/MD5/-1", "stale_after"),
            ("auth/u/p/MD5/soon", "stale_after"),
            ("auth/u/p?require-cookie=maybe", "require-cookie"),
        ]:
            reply = Client(self.clock, f"/digest-auth/{path}").ask()
            self.assertEqual(reply.status, 400, path)
            self.assertEqual(reply.json()["control"], control)

    @settings(deadline=None)
    @given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=60))
    def test_whatever_is_sent(self, given: str) -> None:
        client = Client(self.clock, "/digest-auth/auth/user/passwd")
        reply = client.ask(f"Authorization: Digest {given}")
        self.assertIn(reply.status, (400, 401))
