"""Hosts as people type them, to what is looked up or connected to. Pure.

As browsers and curl have it, which is UTS 46 (https://www.unicode.org/reports/tr46/):
letters are mapped to small ones of the usual width, "ß" and "ς" stay what they are, and
symbols and emojis are labels like others, which IDNA 2008 would refuse.
"""

from __future__ import annotations

import re
import socket
import unicodedata
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote_to_bytes

from nbtwisted.printable import printable

__all__ = ["parse_host"]

_LONGEST_NAME = 254
"""Characters of a name in the DNS, with a dot at its end."""

_LONGEST_TYPED = 1000
"""Before it is mapped, which takes some characters away; Punycode takes its time."""

# Not only DNS names: the resolver may know "my_host" too.
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_NUMBER = "(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)"
_IPV4 = re.compile(rf"{_NUMBER}(\.{_NUMBER}){{0,3}}")
_JOINERS = "\u200c\u200d"


def parse_host(text: str) -> str:
    """Read the host of a URL, an IPv6 address in brackets.

    Returns a name in small ASCII letters, or an address without brackets. IPv4
    addresses may be written in each way that `inet_aton` takes: `127.1`, `0x7f000001`.

    Raises `ValueError`, whose text says what is wrong and what was expected.
    """
    if text.startswith("["):
        try:
            address = IPv6Address(text[1:-1])
        except AddressValueError:
            raise _unfit(text, "an IPv6 address in [ ]") from None
        if address.scope_id is not None:
            raise _unfit(text, "an IPv6 address without a zone")
        # ipaddress' own forms differ between versions of Python.
        return socket.inet_ntop(socket.AF_INET6, address.packed)
    name = _to_ascii(text)
    if name is None or not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise _unfit(text, "a name such as www.example.com")
    return _parse_ipv4(name) or name


def _unfit(text: str, expected: str) -> ValueError:
    return ValueError(f"host '{printable(text, longest=100)}': expected {expected}")


def _to_ascii(text: str) -> str | None:
    """A name in small letters, its labels in Punycode where they need it.

    None if there is no such name.
    """
    if len(text) > _LONGEST_TYPED:
        return None
    try:
        # Browsers and curl take it in the form of the rest of a URL, too.
        name = unquote_to_bytes(text).decode()
        if name.isascii():
            return name.lower()
        import idna  # 2 ms

        name = idna.uts46_remap(name, std3_rules=False, transitional=False)
        return ".".join(map(_label_to_ascii, name.split(".")))
    # UnicodeError is one, and idna's are.
    except ValueError:
        return None


def _label_to_ascii(label: str) -> str:
    # A joiner that joins nothing, as in emojis of several people, counts for nothing.
    label = "".join(
        character
        for position, character in enumerate(label)
        if character not in _JOINERS or _joins(label, position)
    )
    if label.isascii():
        return label
    if unicodedata.category(label[0]).startswith("M"):
        raise ValueError("a mark without a letter before it")
    if label.startswith("-") or label.endswith("-"):
        raise ValueError("a hyphen at an end, which is for ASCII alone")
    return "xn--" + label.encode("punycode").decode("ascii")


def _joins(label: str, position: int) -> bool:
    import idna

    try:
        return idna.valid_contextj(label, position)
    except ValueError:
        return False


def _parse_ipv4(name: str) -> str | None:
    """The address that the name is, if it is one, in the usual form."""
    if not _IPV4.fullmatch(name):
        return None
    # As in C: in hex behind 0x, and octal behind 0.
    *first, last = (
        int(part, 16 if "x" in part else 8 if part.startswith("0") else 10)
        for part in name.split(".")
    )
    # The last one has all bytes that are left.
    left = 4 - len(first)
    if any(number > 255 for number in first) or last >= 256**left:
        return None
    return socket.inet_ntoa(bytes(first) + last.to_bytes(left, "big"))
