"""What a proxy has to pass on of a message, and messages to try it with."""

from __future__ import annotations

from collections.abc import Sequence

from tests.client.test_reader import OK
from tests.proxy.judging import FOR_ONE_CONNECTION

__all__ = ["ASKS", "CODING", "NOT_PASSED_ON", "PLAIN", "end_to_end"]

PLAIN = OK + b"Content-Length: 2\r\n\r\nok"
ASKS = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
CODING = b"Transfer-Encoding: chunked\r\n"

NOT_PASSED_ON = {
    *FOR_ONE_CONNECTION,
    *(b"connection", b"transfer-encoding", b"content-length", b"trailer", b"expect"),
}

Fields = Sequence[tuple[bytes, bytes]]


def end_to_end(lines: Fields, *but: bytes) -> list[tuple[bytes, bytes]]:
    """The fields that a proxy has to pass on as they are, but for some."""
    named = {
        option.strip(b" \t").lower()
        for name, value in lines
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    return [
        (name, value)
        for name, value in lines
        if name.lower() not in {*NOT_PASSED_ON, *named, *but}
    ]
