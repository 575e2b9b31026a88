"""Requests that a server takes, made at random, and cut anywhere."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.proxy.vectors import HIDDEN

__all__ = ["any_requests", "cut", "cuts"]

NAMES = [b"A", b"x-b", b"ACCEPT", b"Cookie", b"Content-Type", b"a_b", b"X-Secret"]
NAMES += [b"Te", b"Keep-Alive", b"Trailer", b"Upgrade", b"Via"]
VALUES = [b"", b"b", b"\xff\x80", b"a b", b"a\tb", b'"', b", ,", b"chunked", b"0"]
OPTIONS = [
    b"close",
    b"keep-alive",
    b"X-Secret",
    b"x-B",
    b"TE",
    b"Upgrade",
    b"Host",
    b"",
]
METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"M-SEARCH", b"get"]
TARGETS = [b"/", b"/a?b=c&_d=e", b"//a", b"/%00", b"http://h/x", b"HTTP://h?x", b"/\\{"]


@st.composite
def any_requests(draw: st.DrawFn) -> bytes:
    """Requests that a server takes, each of which another may follow."""
    lines = [draw(st.sampled_from(METHODS)) + b" " + draw(st.sampled_from(TARGETS))]
    lines[0] += b" HTTP/1.1"
    fields = [b"Host:t"]
    pairs = st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES))
    for name, value in draw(st.lists(pairs, max_size=5)):
        blank = draw(st.sampled_from([b"", b" ", b"\t "]))
        fields.append(name + b":" + blank + value + blank)
    for option in draw(st.lists(st.sampled_from(OPTIONS[1:]), max_size=2)):
        fields.append(b"connection: " + option)
    body = draw(st.sampled_from([b"", b"x", b"\r\n\r\n", HIDDEN, b"y" * 3000]))
    if draw(st.booleans()):
        fields.append(b"Content-Length: 0%d" % len(body))
    elif body or draw(st.booleans()):
        fields.append(b"transfer-encoding: Chunked")
        size = draw(st.integers(1, 3000))
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        end = draw(st.sampled_from([b";a=b", b"", b' ; a="\\""']))
        chunks = [b"0%X%b\r\n%b\r\n" % (len(each), end, each) for each in pieces]
        trailers = draw(st.sampled_from([b"", b"A: b\r\n", b"Content-Length:9\r\n"]))
        body = b"".join(chunks) + b"00\r\n" + trailers + b"\r\n"
    lines += draw(st.permutations(fields))
    return b"\r\n".join([*lines, b"", body])


def cuts() -> st.SearchStrategy[list[int]]:
    """Sizes of the pieces in which something arrives."""
    return st.lists(st.integers(1, 100), max_size=20)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Pieces of these sizes, and the rest."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [each for each in [*pieces, data[at:]] if each]
