"""Listen addresses as Toxiproxy's users write them."""

from __future__ import annotations

from nbtwisted.proxy.toxiproxy.errors import ApiError
from nbtwisted.proxy.toxiproxy.listening import parse_listen
from tests.guard import ClockCase


class ListenTests(ClockCase):
    def test_addresses_of_this_machine(self) -> None:
        for text, read in (
            ("127.0.0.1:26379", "127.0.0.1:26379"),
            ("localhost:0", "127.0.0.1:0"),
            ("LOCALHOST:80", "127.0.0.1:80"),
            ("127.0.0.7:65535", "127.0.0.7:65535"),
            ("[::1]:22", "[::1]:22"),
            ("", "127.0.0.1:0"),
        ):
            self.assertEqual(str(parse_listen(text, allow_remote=False)), read)

    def test_addresses_that_others_can_reach(self) -> None:
        for text, read in (
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::]:80", "[::]:80"),
            (":80", "[::]:80"),
            ("192.168.1.7:0", "192.168.1.7:0"),
            ("[fe80::1]:80", "[fe80::1]:80"),
        ):
            with self.assertRaises(ApiError) as caught:
                parse_listen(text, allow_remote=False)
            self.assertEqual(caught.exception.status, 400)
            self.assertEqual(
                caught.exception.message,
                f"listen tcp {text}: other machines could connect; expected an "
                "address of this machine alone, such as 127.0.0.1:26379",
            )
            self.assertEqual(str(parse_listen(text, allow_remote=True)), read)

    def test_without_one_it_is_everywhere_if_others_may_connect(self) -> None:
        self.assertEqual(str(parse_listen("", allow_remote=True)), "[::]:0")

    def test_what_is_no_address(self) -> None:
        for text, message in (
            ("local373", "address local373: missing port in address"),
            ("[::1]", "address [::1]: missing port in address"),
            ("::1", "address ::1: too many colons in address"),
            ("::1:80", "address ::1:80: too many colons in address"),
            ("127.0.0.1:", "address : invalid port"),
            ("127.0.0.1:99999", "address 99999: invalid port"),
            ("127.0.0.1:-1", "address -1: invalid port"),
            ("127.0.0.1:٨٠", "address ٨٠: invalid port"),
            ("127.0.0.1:http", "address http: invalid port"),
            ("example.com:80", "address example.com: expected localhost or an IP"),
            ("[fe80::1%1]:80", "address [fe80::1%1]: expected localhost or an IP"),
            ("a\r\nb:80", "address a\\r\\nb: expected localhost or an IP"),
        ):
            for allow_remote in (False, True):
                with self.assertRaises(ApiError) as caught:
                    parse_listen(text, allow_remote=allow_remote)
                self.assertEqual(caught.exception.status, 500)
                self.assertTrue(
                    caught.exception.message.startswith(f"listen tcp: {message}"),
                    caught.exception.message,
                )
