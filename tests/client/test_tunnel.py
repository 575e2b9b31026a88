"""What is said to a proxy, and what becomes of its answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted import __version__
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.connection.tunnel import Connect, Dialogue, Socks
from nbtwisted.client.errors import RequestError, SOCKSFailed, TunnelFailed
from nbtwisted.client.proxies import Proxy
from nbtwisted.client.target import Origin

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


class DialogueCase(SynchronousTestCase):
    def fails(
        self, dialogue: Dialogue, *pieces: bytes, then: str | None = None
    ) -> TunnelFailed | SOCKSFailed:
        """It ends with an error, or `then` does the connection."""
        dialogue.begin()
        error: RequestError
        try:
            for piece in pieces:
                dialogue.feed(piece)
        except RequestError as caught:
            self.assertIsNone(then)
            error = caught
        else:
            assert then is not None, "no error"
            error = dialogue.error_at_the_end(then)
        self.assertFalse(dialogue.is_open)
        self.assertEqual(error.phase, "proxy")
        assert isinstance(error, (TunnelFailed, SOCKSFailed))
        return error


class ConnectTests(DialogueCase):
    def connect(
        self, proxy: str = "p", host: str = "h", limits: Limits | None = None
    ) -> Connect:
        origin = Origin(True, host, 443)
        return Connect(Proxy.parse(proxy), origin, limits or Limits())

    def test_what_is_sent(self) -> None:
        for proxy, host, expected in [
            ("p", "h", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n"),
            ("p", "::1", "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"),
            (
                "a:b@p",
                "h",
                "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n"
                "Proxy-Authorization: Basic YTpi\r\n",
            ),
        ]:
            expected += f"User-Agent: nbtwisted/{__version__}\r\n\r\n"
            self.assertEqual(self.connect(proxy, host).begin(), expected.encode())

    def test_a_tunnel(self) -> None:
        for answer in (
            OK,
            b"HTTP/1.0 200\r\n\r\n",
            b"HTTP/1.1 204 x\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
            # There is no body, whatever it says.
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        ):
            at_once, piecemeal = self.connect(), self.connect()
            self.assertEqual(at_once.feed(answer), b"")
            self.assertTrue(at_once.is_open)
            for byte in answer:
                self.assertFalse(piecemeal.is_open)
                self.assertEqual(piecemeal.feed(bytes([byte])), b"")
            self.assertTrue(piecemeal.is_open)

    def test_refused(self) -> None:
        for status, may_pass in [(401, False), (407, False), (502, True), (302, False)]:
            head = b"HTTP/1.1 %d No\x1b\x7f\r\nContent-Length: 9\r\n\r\n" % status
            head = head.replace(b"\x1b\x7f", b"\xad")
            # How much comes behind it does not matter.
            for answer in (head, head + b"x" * 100_000):
                error = self.fails(self.connect(), answer)
                assert isinstance(error, TunnelFailed)
                words = f"the proxy refused to connect to h:443: {status} No\\xad"
                self.assertEqual(str(error), words)
                self.assertEqual((error.status, error.may_pass), (status, may_pass))
        error = self.fails(self.connect(), b"HTTP/1.1 403\r\n\r\n")
        self.assertTrue(str(error).endswith("h:443: 403"), error)

    def test_no_answer(self) -> None:
        limits = Limits(head=1000)
        endless = b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000
        for answer, words in [
            (b"garbage\r\n\r\n", "does not begin with HTTP/"),
            (b"\x05\x00", ""),
            (b"HTTP/2.0 200 OK\r\n\r\n", "version"),
            (b"HTTP/1.1 101 Switching\r\n\r\n" * 2, ""),
            (b"HTTP/1.1 100 x\r\n\r\n" * 30, "more than 20 interim answers"),
            (endless, "the head is larger than 1000 bytes"),
            (OK + b"\x16\x03", "bytes behind the proxy's answer"),
        ]:
            error = self.fails(self.connect(limits=limits), answer)
            self.assertIn(words, str(error))
            self.assertIn("the proxy's answer to CONNECT", str(error))
            self.assertFalse(error.may_pass)

    def test_the_connection_ends(self) -> None:
        for answer in (b"", b"HTTP/1.1 20", b"HTTP/1.1 100 x\r\n\r\n"):
            error = self.fails(self.connect(), answer, then="closed the connection")
            words = "the proxy closed the connection before it had answered CONNECT"
            self.assertEqual(str(error), words)
            self.assertTrue(error.may_pass)
        bare = b"HTTP/1.1 200 OK\r\na: b\n"
        error = self.fails(self.connect(), bare[:-1] + b"\r", then="closed it")
        self.assertIsInstance(error, TunnelFailed)
        error = self.fails(self.connect(), b"HTTP/1.1 200 OK\r\na b", then="closed it")
        self.assertIn("the proxy's answer to CONNECT: ", str(error))


class SocksTests(DialogueCase):
    def socks(
        self, proxy: str = "socks5h://p", host: str = "h", port: int = 443
    ) -> Socks:
        return Socks(Proxy.parse(proxy), host, port)

    def test_without_a_login(self) -> None:
        for host, address in [
            ("h.example", b"\x03\x09h.example"),
            ("10.0.0.1", b"\x01\x0a\x00\x00\x01"),
            ("::1", b"\x04" + bytes(15) + b"\x01"),
        ]:
            socks = self.socks(host=host)
            self.assertEqual(socks.begin(), b"\x05\x01\x00")
            asked = b"\x05\x01\x00" + address + b"\x01\xbb"
            self.assertEqual(socks.feed(b"\x05\x00"), asked)
            self.assertFalse(socks.is_open)
            self.assertEqual(socks.feed(b"\x05\x00\x00\x01" + bytes(6)), b"")
            self.assertTrue(socks.is_open)

    def test_with_a_login(self) -> None:
        for answers in ([b"\x05\x02", b"\x01\x00"], [b"\x05\x00"]):
            socks = self.socks("socks5h://user:pass@p")
            self.assertEqual(socks.begin(), b"\x05\x02\x00\x02")
            *logins, asked = map(socks.feed, answers)
            self.assertEqual(logins, [b"\x01\x04user\x04pass"][: len(logins)])
            self.assertEqual(asked, b"\x05\x01\x00\x03\x01h\x01\xbb")

    def test_byte_by_byte(self) -> None:
        for bound in (b"\x01" + bytes(4), b"\x04" + bytes(16), b"\x03\x05hello"):
            socks = self.socks("socks5h://user:pass@p")
            answer = b"\x05\x02" + b"\x01\x00" + b"\x05\x00\x00" + bound + b"\x00\x50"
            sent = b""
            for byte in answer:
                self.assertFalse(socks.is_open)
                sent += socks.feed(bytes([byte]))
            login, asked = b"\x01\x04user\x04pass", b"\x05\x01\x00\x03\x01h\x01\xbb"
            self.assertEqual(sent, login + asked)
            self.assertTrue(socks.is_open)

    def test_replies(self) -> None:
        words = {}
        for reply in range(1, 256):
            for answer in (bytes([5, reply]), bytes([5, reply, 0, 1]) + bytes(9)):
                error = self.fails(self.socks(), b"\x05\x00", answer)
                self.assertIn("the proxy did not connect to h:443: ", str(error))
            words[reply] = (str(error).rpartition(": ")[2], error.may_pass)
        self.assertEqual(words[2], ("its rules do not allow it", False))
        self.assertEqual(words[5], ("the connection was refused", True))
        self.assertEqual(words[9], ("reply 9, which SOCKS5 has not", False))
        self.assertEqual(len(set(words.values())), 255)
        error = self.fails(self.socks(host="::1"), b"\x05\x00", b"\x05\x05")
        self.assertIn("connect to [::1]:443", str(error))

    def test_refused(self) -> None:
        login = "socks5h://user:secret@p"
        for proxy, answers, words in [
            ("socks5h://p", [b"\x04"], "expected the version 5, and not 4"),
            ("socks5h://p", [b"HTTP/1.1 400 "], "expected the version 5, and not 72"),
            ("socks5h://p", [b"\x05\xff"], "wants a login: expected user:password@"),
            ("socks5h://p", [b"\x05\x02"], "by method 2, which it was not offered"),
            (login, [b"\x05\xff"], "takes no login by user name and password"),
            (login, [b"\x05\x01"], "by method 1, which it was not offered"),
            (login, [b"\x05\x02", b"\x05\x00"], "the version 1, and not 5"),
            (login, [b"\x05\x02", b"\x01\x01"], "refused the user name and password"),
            ("socks5h://p", [b"\x05\x00", b"\x00"], "the version 5, and not 0"),
            ("socks5h://p", [b"\x05\x00\x05"], "bytes behind the proxy's answer"),
            (login, [b"\x05\x02", b"\x01\x00\x05"], "bytes behind the proxy's answer"),
            (
                "socks5h://p",
                [b"\x05\x00", b"\x05\x00\x00\x02\x00"],
                "an address of type 2",
            ),
            (
                "socks5h://p",
                [b"\x05\x00", b"\x05\x00\x00\x01" + bytes(7)],
                "bytes behind the proxy's answer",
            ),
        ]:
            error = self.fails(self.socks(proxy), *answers)
            self.assertIn(words, str(error))
            self.assertIsInstance(error, SOCKSFailed)
            self.assertNotIn("secret", str(error))
            self.assertFalse(error.may_pass)

    def test_the_connection_ends(self) -> None:
        for answers in ([b""], [b"\x05"], [b"\x05\x00", b"\x05\x00\x00\x03"]):
            error = self.fails(self.socks(), *answers, then="broke the connection")
            words = (
                "the proxy broke the connection in the middle of the SOCKS5 dialogue"
            )
            self.assertEqual(str(error), words)
            self.assertTrue(error.may_pass)


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([OK, OK[:20], OK[20:], b"HTTP/1.1 ", b"407 No\r\n", b"\r\n"]),
        st.sampled_from([b"\5", b"\0", b"\5\0", b"\5\2", b"\1\0", b"\5\0\0\3\1"]),
    ),
    max_size=8,
)


class AnyBytesTests(SynchronousTestCase):
    @given(PIECES, st.sampled_from(["http", "socks5h"]))
    def test_open_or_a_named_error(self, pieces: list[bytes], kind: str) -> None:
        proxy = Proxy.parse(f"{kind}://me:you@p")
        dialogue: Dialogue = Socks(proxy, "h", 443)
        if kind == "http":
            dialogue = Connect(proxy, Origin(True, "h", 443), Limits())
        dialogue.begin()
        try:
            for piece in pieces:
                dialogue.feed(piece)
                if dialogue.is_open:
                    return
            raise dialogue.error_at_the_end("closed the connection")
        except (TunnelFailed, SOCKSFailed) as error:
            self.assertIn("the proxy", str(error))
            self.assertTrue(str(error).isprintable())
