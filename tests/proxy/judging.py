"""Judges HTTP/1.1 on the wire: canonical, so that all readers take it in one way.

Written from the grammar of RFC 9112, and with none of our own readers: it takes less
than they do, namely what nobody reads otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import h11

__all__ = ["Arrived", "CutShort", "answers", "requests"]

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELD = re.compile(
    rb"(%b): ((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)" % _TOKEN
)
_REQUEST = re.compile(rb"(%b) ([!-~]+) HTTP/1\.1" % _TOKEN)
_ANSWER = re.compile(rb"HTTP/1\.1 ([1-9][0-9][0-9]) ([\t -~\x80-\xff]*)")
_SIZE = re.compile(rb"0|[1-9a-f][0-9a-f]{0,15}")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")

FOR_ONE_CONNECTION = {
    *(b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"http2-settings"),
}
"""Fields that go no further than one connection, unless Connection names them anew."""


FRAMING = {b"content-length", b"transfer-encoding", b"host"}
"""Fields that cannot be for one connection only, nor behind a body."""


class CutShort(AssertionError):
    """A body has not all come; what there is of it is canonical."""


@dataclass
class Arrived:
    """A message: its first line's parts, its fields as they came, and what follows."""

    first: tuple[bytes, ...]
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def values(self, name: bytes) -> list[bytes]:
        """The values of a field; `name` is in lower case."""
        return [value for each, value in self.fields if each.lower() == name]

    def without(self, *names: bytes) -> list[tuple[bytes, bytes]]:
        """The fields but for these, whose names are in lower case."""
        return [each for each in self.fields if each[0].lower() not in names]


def requests(data: bytes) -> list[Arrived]:
    """The requests in `data`, all whole; raises `AssertionError` for anything else."""
    found = []
    rest = data
    while rest:
        message, rest = _message(rest, _REQUEST)
        assert len(message.values(b"host")) == 1, message
        rest = _read_body(message, rest, ends_with_connection=False)
        found.append(message)
    _h11_agrees(found, data)
    return found


def answers(data: bytes, *methods: str, is_closed: bool = True) -> list[Arrived]:
    """The answers to requests by these methods, with the interim ones before them.

    `is_closed` says whether the connection ended behind `data`.
    Raises `AssertionError` unless they are whole, and all that there is.
    """
    found: list[Arrived] = []
    rest = data
    for method in methods:
        while True:
            message, rest = _message(rest, _ANSWER)
            status = int(message.first[0])
            if status >= 200:
                break
            assert not message.values(b"content-length"), message
            assert not message.values(b"transfer-encoding"), message
            found.append(message)
        if method == "HEAD" or status in (204, 304):
            if status == 204:
                assert not message.values(b"content-length"), message
            assert not message.values(b"transfer-encoding") or method == "HEAD"
            found.append(message)
            continue
        rest = _read_body(message, rest, ends_with_connection=is_closed)
        found.append(message)
    assert not rest, f"behind the answers: {rest!r}"
    return found


def _message(data: bytes, line: re.Pattern[bytes]) -> tuple[Arrived, bytes]:
    head, blank, rest = data.partition(b"\r\n\r\n")
    assert blank, f"no whole head: {data!r}"
    first, *lines = head.split(b"\r\n")
    match = line.fullmatch(first)
    assert match is not None, f"first line {first!r}"
    message = Arrived(match.groups(), [_field(each) for each in lines])
    named = {
        option.strip().lower()
        for value in message.values(b"connection")
        for option in value.split(b",")
    }
    assert len(message.values(b"connection")) <= 1, message
    for name in FOR_ONE_CONNECTION:
        assert not message.values(name) or name in named, message
    lengths, codings = (
        message.values(b"content-length"),
        message.values(b"transfer-encoding"),
    )
    assert len(lengths + codings) <= 1, message
    assert all(_LENGTH.fullmatch(length) for length in lengths), message
    assert codings in ([], [b"chunked"]), message
    assert not FRAMING & named, message
    return message, rest


def _field(line: bytes) -> tuple[bytes, bytes]:
    match = _FIELD.fullmatch(line)
    assert match is not None, f"field {line!r}"
    return match[1], match[2]


def _read_body(message: Arrived, rest: bytes, *, ends_with_connection: bool) -> bytes:
    """Give the message its body; returns what is behind it."""
    if message.values(b"transfer-encoding"):
        while True:
            line, end, rest = rest.partition(b"\r\n")
            if not end:
                raise CutShort("no last chunk")
            assert _SIZE.fullmatch(line), f"chunk line {line!r}"
            size = int(line, 16)
            if not size:
                break
            end = rest[size : size + 2]
            if len(rest) < size + 2 and b"\r\n".startswith(end):
                raise CutShort("no end of a chunk")
            assert end == b"\r\n", f"chunk {rest[: size + 2]!r}"
            message.body += rest[:size]
            rest = rest[size + 2 :]
        while True:
            line, end, rest = rest.partition(b"\r\n")
            if not end:
                raise CutShort("no blank line behind the last chunk")
            if not line:
                return rest
            message.trailers.append(_field(line))
            assert message.trailers[-1][0].lower() not in FRAMING, line
    lengths = message.values(b"content-length")
    if not lengths and ends_with_connection:
        message.body = rest
        return b""
    size = int(lengths[0]) if lengths else 0
    if len(rest) < size:
        raise CutShort(f"{len(rest)} of {size} bytes")
    message.body = rest[:size]
    return rest[size:]


def _h11_agrees(messages: list[Arrived], data: bytes) -> None:
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    for message in messages:
        head = server.next_event()
        assert isinstance(head, h11.Request), head
        assert (head.method, head.target) == message.first, head
        assert list(head.headers.raw_items()) == message.fields, head
        body = b""
        while isinstance(event := server.next_event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage), event
        assert body == message.body, body
        assert list(event.headers.raw_items()) == message.trailers, event
        if server.their_state is not h11.DONE:
            # It closes behind this one, or waits for whether it is upgraded.
            return
        server.send(h11.Response(status_code=204, headers=[]))
        server.send(h11.EndOfMessage())
        if server.our_state is not h11.DONE:
            return
        server.start_next_cycle()
