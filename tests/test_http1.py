"""The grammar that both ends have in common."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.http1.framing import elements, keeps_alive, parse_length
from nbtwisted.http1.syntax import CHUNK_LINE, FIELD, is_token, is_value


class SyntaxTests(SynchronousTestCase):
    def test_tokens(self) -> None:
        punctuation = "!#$%&'*+-.^_`|~"
        for text in ("a", "Z9", punctuation):
            self.assertIsNotNone(is_token(text), text)
        for number in range(256):
            is_letter_or_digit = number < 128 and chr(number).isalnum()
            expected = is_letter_or_digit or chr(number) in punctuation
            self.assertEqual(is_token(chr(number)) is not None, expected, number)
        for text in ("", "a b", "a\n", "é", "a:"):
            self.assertIsNone(is_token(text), text)

    def test_values(self) -> None:
        for number in range(256):
            expected = number == 9 or (number >= 32 and number != 127)
            self.assertEqual(is_value(chr(number)) is not None, expected, number)
        self.assertIsNotNone(is_value(""))
        for text in ("a\n", "a\r\n b", "€"):
            self.assertIsNone(is_value(text), text)

    def test_fields(self) -> None:
        match = FIELD.match(b"A-b: \tc \xff\r\nD: e\r\n")
        assert match is not None
        self.assertEqual(match.groups(), (b"A-b", b" \tc \xff"))
        for line in (b"A: b\n", b"A : b\r\n", b": b\r\n", b"A: b\rc\r\n", b"A: b"):
            self.assertIsNone(FIELD.match(line), line)

    def test_chunk_lines(self) -> None:
        for line, size in {
            b"0": 0,
            b"00aF": 0xAF,
            b"f" * 16: 2**64 - 1,
            b"1;a": 1,
            b"1 ; a\t=\tb;c": 1,
            b'1;a="";b="\\"\\\xff;\t"': 1,
        }.items():
            match = CHUNK_LINE.fullmatch(line + b"\r\n")
            assert match is not None, line
            self.assertEqual(int(match[1], 16), size)
        for line in (
            *(b"", b"g", b"0x1", b"-1", b"+1", b"1_0", b"f" * 17, b" 1", b"1 ", b"1 a"),
            *(b"1;", b"1;;a", b"1;=b", b"1;a=", b'1;a="b', b'1;a="b"c', b"1;a=\xff"),
            *(b'1;a="\x01"', b'1;a="\\"', b"1;a b", b"1;a\n", b"1\r"),
        ):
            self.assertIsNone(CHUNK_LINE.fullmatch(line + b"\r\n"), line)

    def test_what_almost_is_a_chunk_line_takes_no_longer(self) -> None:
        began = time.process_time()
        for more in (b";a", b" ", b";a=b", b'";a="', b"\t;\ta", b"\\\\", b"a", b" = "):
            for begin in (b"1;a", b'1;a="', b"1"):
                for end in (b"", b"\n", b"\x01\r\n"):
                    CHUNK_LINE.match(begin + more * 20_000 + end)
        self.assertLess(time.process_time() - began, 5)


class FramingTests(SynchronousTestCase):
    def test_elements(self) -> None:
        self.assertEqual(elements([]), [])
        self.assertEqual(elements([b"A, b\t,c", b" D "]), [b"a", b"b", b"c", b"d"])
        self.assertEqual(elements([b"", b"a,,\x0bb"]), [b"", b"a", b"", b"\x0bb"])

    @given(st.integers(0, 10**18 - 1), st.integers(0, 2000))
    def test_lengths(self, length: int, zeros: int) -> None:
        self.assertEqual(parse_length("0" * zeros + str(length)), length)

    def test_no_lengths(self) -> None:
        for text in (
            "",
            " 1",
            "1 ",
            "+1",
            "-1",
            "1_0",
            "0x1",
            "١",
            "²",
            "1" * 19,
            "1,1",
        ):
            with self.assertRaises(ValueError):
                parse_length(text)

    def test_keeps_alive(self) -> None:
        for options, in_1_1, in_1_0 in [
            ([], True, False),
            ([b"close"], False, False),
            ([b"keep-alive"], True, True),
            ([b"upgrade", b"keep-alive"], True, True),
            ([b"keep-alive", b"close"], False, False),
        ]:
            self.assertEqual(keeps_alive(options, is_1_0=False), in_1_1)
            self.assertEqual(keeps_alive(options, is_1_0=True), in_1_0)
