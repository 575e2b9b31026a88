"""Basic and Bearer, in memory. (Digest has a file of its own.)"""

from __future__ import annotations

from base64 import b64encode

from tests.server.every_channel import EveryChannelCase
from tests.server.in_memory import Reply

REALM = 'Basic realm="Fake Realm", charset="UTF-8"'


def basic(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return f"Authorization: Basic {b64encode(raw).decode()}"


class AuthenticationCase(EveryChannelCase):
    def malformed(self, reply: Reply) -> None:
        self.assertEqual(reply.status, 400)
        told = reply.json()
        self.assertEqual(told["control"], "authorization")
        # What was sent may be a secret.
        self.assertEqual({*told}, {"error", "control", "expected"})


class BasicTests(AuthenticationCase):
    def test_the_user_and_the_password(self) -> None:
        for path, given in [
            ("user/passwd", "user:passwd"),
            ("user/a:b", "user:a:b"),
            ("%C3%A9/%E7%A7%92", "é:秒"),
        ]:
            for kind in ["basic-auth", "hidden-basic-auth"]:
                reply = self.ask(f"/{kind}/{path}", basic(given))
                user = given.partition(":")[0]
                expected = {"authenticated": True, "user": user}
                self.assertEqual((reply.status, reply.json()), (200, expected))

    def test_others(self) -> None:
        for headers in [
            [],
            ["Authorization: "],
            ["Authorization: Basic"],
            ["Authorization: Bearer dXNlcjpwYXNzd2Q="],
            [basic("user:other")],
            [basic("other:passwd")],
            [basic("user:passwd ")],
        ]:
            reply = self.ask("/basic-auth/user/passwd", *headers)
            self.assertEqual(reply.status, 401, headers)
            self.assertEqual(reply.headers["www-authenticate"], REALM)
            reply = self.ask("/hidden-basic-auth/user/passwd", *headers)
            self.assertEqual(reply.status, 404, headers)
            self.assertNotIn("www-authenticate", reply.headers)

    def test_the_case_of_the_scheme_does_not_matter(self) -> None:
        given = basic("user:passwd").replace("Basic", "bASIC ")
        self.assertEqual(self.ask("/basic-auth/user/passwd", given).status, 200)

    def test_other_methods(self) -> None:
        for method in ["HEAD", "POST", "PUT", "PATCH", "DELETE"]:
            reply = self.ask("/basic-auth/user/passwd", method=method)
            self.assertEqual(reply.status, 401, method)
        reply = self.ask("/basic-auth/user/passwd", method="OPTIONS")
        self.assertEqual(reply.status, 200)
        self.assertIn("DELETE", reply.headers["allow"])

    def test_malformed(self) -> None:
        for given in [
            "Authorization: Basic !!!",
            "Authorization: Basic dXNlcjpwYXNzd2Q",
            "Authorization: Basic dXNlcg==",
            "Authorization: Basic \xff",
            "Authorization: Basic dXNlcjpw YXNzd2Q=",
            basic("user:é".encode("latin-1")),
        ]:
            self.malformed(self.ask("/basic-auth/user/passwd", given))
            self.malformed(self.ask("/hidden-basic-auth/user/passwd", given))
        twice = [basic("user:passwd"), basic("user:passwd")]
        self.malformed(self.ask("/basic-auth/user/passwd", *twice))

    def test_a_user_that_no_client_can_send(self) -> None:
        reply = self.ask("/basic-auth/a:b/c")
        self.assertEqual((reply.status, reply.json()["control"]), (400, "user"))


class BearerTests(AuthenticationCase):
    def test_tokens(self) -> None:
        for token in ["abc", "a.b-c_d~e+f/g==", "9"]:
            reply = self.ask("/bearer", f"Authorization: bearer  {token}")
            expected = {"authenticated": True, "token": token}
            self.assertEqual((reply.status, reply.json()), (200, expected))

    def test_none(self) -> None:
        reply = self.ask("/bearer")
        self.assertEqual(reply.status, 401)
        self.assertEqual(reply.headers["www-authenticate"], "Bearer")

    def test_malformed(self) -> None:
        for token in ["a b", "a,b", "=a", "é", '"a"', "\xff"]:
            reply = self.ask("/bearer", f"Authorization: Bearer {token}")
            self.malformed(reply)
            challenge = reply.headers["www-authenticate"]
            self.assertEqual(challenge, 'Bearer error="invalid_request"')


class ControlsTests(AuthenticationCase):
    def test_as_every_path(self) -> None:
        reply = self.ask("/basic-auth/user/passwd?_status=503&_header=X-A:b")
        self.assertEqual((reply.status, reply.headers["x-a"]), (503, "b"))
        visit = self.visit("ours")
        visit.get("/bearer?_delay=2")
        self.assertEqual(visit.received, b"")
        self.clock.advance(2)
        self.assertEqual(visit.reply().status, 401)
