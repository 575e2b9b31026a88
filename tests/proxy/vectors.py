"""Bytes that one reader of HTTP takes in one way, and another in another.

Those that `tests/server` and `tests/client` have, and those that a proxy alone meets:
a second message in the body of the first, and fields that are for one connection only.
"""

from __future__ import annotations

from tests.client.test_reader import ENDING_WITH_THE_CONNECTION, MALFORMED, OK, WHOLE
from tests.server.test_framing import BAD, CHUNKED, GOOD, START, UNABLE

__all__ = [
    "ANSWERS_TAKEN",
    "BROKEN_ANSWERS",
    "HIDDEN",
    "HIDDEN_ANSWER",
    "HIDING_REQUESTS",
    "REQUESTS_REFUSED",
    "REQUESTS_TAKEN",
    "SURPLUS",
]

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: hidden.example\r\nX-Hidden: 1\r\n\r\n"
"""A request, or what somebody would like to be taken for one."""

_AS_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
_LENGTH = b"Content-Length: %d\r\n" % len(HIDDEN)
_ALL = b"Content-Length: %d\r\n" % len(b"0\r\n\r\n" + HIDDEN)
_CODING = b"Transfer-Encoding: chunked\r\n"


def _post(*lines: bytes, body: bytes = b"") -> bytes:
    return START + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


REQUESTS_TAKEN = [
    *GOOD,
    # The bodies of these are what they are, whatever they look like.
    START + _LENGTH + b"\r\n" + HIDDEN,
    CHUNKED + _AS_CHUNK,
    START + b"transfer-ENCODING: \t CHUNKED \t\r\n\r\n" + _AS_CHUNK,
    # What Connection names is not passed on, but for what the next server cannot do
    # without.
    START + b"Connection: Content-Length\r\n" + _LENGTH + b"\r\n" + HIDDEN,
    START + b"Connection: Transfer-Encoding\r\n" + _CODING + b"\r\n" + _AS_CHUNK,
    START + b"Connection: Host, close\r\n\r\n",
    START + b"Connection: close, X-Secret\r\nX-Secret: a\r\nX-Open: b\r\n\r\n",
    START + b"Connection: X-Secret\r\nConnection: ,, x-b ,\r\nX-B: 1\r\n\r\n",
    START + b"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\r\n",
    START + b"TE: trailers, gzip;q=1\r\nConnection: TE\r\n\r\n",
    START + b"Trailer: Content-Length\r\n" + _CODING + b"\r\n0\r\n" + _LENGTH + b"\r\n",
    CHUNKED + b"1\r\nx\r\n0\r\nTransfer-Encoding: chunked\r\nHost: evil\r\n\r\n",
    CHUNKED + b"1\r\nx\r\n0\r\nA: b\r\nX-Sum: \xff\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\nHost: t\r\n\r\n",
    b"POST / HTTP/1.0\r\n" + _LENGTH + b"\r\n" + HIDDEN,
    b"GET / HTTP/1.1\r\nHost: t\r\n" + _LENGTH + b"\r\n" + HIDDEN,
    b"HEAD / HTTP/1.1\r\nHost: t\r\n" + _LENGTH + b"\r\n" + HIDDEN,
    b"DELETE /a HTTP/1.1\r\nHost: t\r\n" + _CODING + b"\r\n" + _AS_CHUNK,
    b"GET //a/../b/./%2e%2E/%00%0d%0A?c=d&_e=%ff&& HTTP/1.1\r\nHost: t\r\n\r\n",
    b"GET /a;b=c?d='\"<>\\^`{|} HTTP/1.1\r\nHost: t\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n",
    b"GET http://other.example:81/a?b HTTP/1.1\r\nHost: t\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a.b.example:8000\r\n\r\n",
    b"get /a HTTP/1.1\r\nHost: t\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\n"
    b'a-B_c: \xe4\xff\x80\r\nA-b_C: 2\r\nEmpty:\r\nx: ,\t "\r\nA-B_C: 3\r\n\r\n',
    b"GET / HTTP/1.1\r\nX-Last: 1\r\nHost: t\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nVia: 1.0 fred, 1.1 p.example\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nMax-Forwards: 0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nAuthorization: Basic YTpi\r\nCookie: a=b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
]
"""Each is one request, which a server may answer."""

REQUESTS_REFUSED = [*BAD, *UNABLE]
"""Each is none: whoever reads it some way has read it wrong."""

_BOTH = [
    (_LENGTH + _CODING, _AS_CHUNK),
    (_CODING + _LENGTH, _AS_CHUNK),
    (_ALL + _CODING, b"0\r\n\r\n" + HIDDEN),
    (_CODING + b"Content-Length: 0\r\n", b"0\r\n\r\n" + HIDDEN),
]

HIDING_REQUESTS = {
    **{
        f"CL and TE, {number}": START + fields + b"\r\n" + body
        for number, (fields, body) in enumerate(_BOTH)
    },
    **{
        f"CL and {coding!r}": _post(_ALL[:-2], coding, body=b"0\r\n\r\n" + HIDDEN)
        for coding in (
            b"Transfer-Encoding : chunked",
            b"Transfer-Encoding: xchunked",
            b"Transfer-Encoding: chunked\x0b",
            b"Transfer-Encoding:\x0bchunked",
            b"Transfer-Encoding: \x00chunked",
            b"Transfer-Encoding: chunked, identity",
            b"Transfer-Encoding: identity, chunked",
            b"Transfer-Encoding: 'chunked'",
            b"Transfer-Encoding:\r\n chunked",
            b"X: y\nTransfer-Encoding: chunked",
            b"X: y\rTransfer-Encoding: chunked",
            b"X: y\r\n\tTransfer-Encoding: chunked",
            b" Transfer-Encoding: chunked",
            b"\tTransfer-Encoding: chunked",
            b"Transfer-Encoding\xa0: chunked",
            b"Transfer\xadEncoding: chunked",
        )
    },
    # Fields with other names are fields like others, and may be passed on.
    "CL and a name that is almost TE": _post(
        _ALL[:-2], b"Transfer_Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN
    ),
    **{
        f"lengths {lengths!r}": _post(*lengths, body=HIDDEN)
        for lengths in (
            (b"Content-Length: 0", _LENGTH[:-2]),
            (_LENGTH[:-2], b"Content-Length: 0"),
            (b"Content-Length: 0, %d" % len(HIDDEN),),
            (b"Content-Length: %d, 0" % len(HIDDEN),),
            (b"Content-Length: +0",),
            (b"Content-Length: 0x0",),
            (b"Content-Length: -0",),
            (b"Content-Length: 0 0",),
            (b"Content-Length: \x00",),
            (b"Content-Length : 0", _LENGTH[:-2]),
            (b"Content_Length: 0", _LENGTH[:-2]),
        )
    },
    "HTTP/1.0 in chunks": b"POST / HTTP/1.0\r\n" + _CODING + b"\r\n0\r\n\r\n" + HIDDEN,
    "HTTP/1.0 with both": b"POST / HTTP/1.0\r\nConnection: keep-alive\r\n"
    + _LENGTH
    + _CODING
    + b"\r\n0\r\n\r\n"
    + HIDDEN,
    **{
        f"chunk line {line!r}": CHUNKED + line + HIDDEN + b"\r\n0\r\n\r\n"
        for line in (
            b"%x;\n" % len(HIDDEN),
            b"%x;a=\n\r\n" % len(HIDDEN),
            b"0\n\r\n",
            b"0\r\n\n",
            b"-0\r\n\r\n",
            b"0_0\r\n\r\n",
            b"00000000000000000\r\n\r\n",
            b"0 \r\n\r\n",
        )
    },
    "chunk without its end": CHUNKED + b"1\r\nx" + b"0\r\n\r\n" + HIDDEN,
    "in a trailer": CHUNKED + b"0\r\nX: y\n\n" + HIDDEN + b"\r\n",
    "in a field": START + b"X: y\n\n" + HIDDEN,
    "in a field, by CR": START + b"X: y\r\r" + HIDDEN,
    "in the target": b"GET /a\nHost:t\n\n" + HIDDEN + b" HTTP/1.1\r\nHost: t\r\n\r\n",
    "in the target, by spaces": b"GET /a HTTP/1.1 " + HIDDEN,
    "in the method": b"\nGET /a HTTP/1.1\nHost: t\n\n" + HIDDEN,
}
"""Each can be read as a first request with `HIDDEN` behind it, which most are not."""

HIDDEN_ANSWER = b"HTTP/1.1 299 Hidden\r\nContent-Length: 6\r\n\r\nhidden"

ANSWERS_TAKEN = {
    **WHOLE,
    **ENDING_WITH_THE_CONNECTION,
    "fields for one connection": OK + b"Connection: X-Secret, keep-alive\r\n"
    b"X-Secret: a\r\nKeep-Alive: timeout=5\r\nProxy-Connection: a\r\n"
    b"Proxy-Authenticate: Basic\r\nX-Open: b\r\nContent-Length: 2\r\n\r\nok",
    "framing named by Connection": OK + b"Connection: Content-Length, Date\r\n"
    b"Content-Length: 2\r\nDate: today\r\n\r\nok",
    "names, bytes and order": OK + b"a-B: \xe4\xff\x80\r\nSet-Cookie: a=b; c\r\n"
    b"Content-Length: 2\r\nset-cookie: d=e\r\nEmpty:\r\nA-b: 2\r\n\r\nok",
    "a Server-Timing and a Via of its own": OK + b"Server-Timing: db;dur=5\r\n"
    b"Via: 1.1 other\r\nContent-Length: 2\r\n\r\nok",
    "trailers": OK + _CODING + b"\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
    "404": b"HTTP/1.1 404 Gone Fishing\r\nContent-Length: 2\r\n\r\nno",
    "500": b"HTTP/1.1 500 \r\nContent-Length: 2\r\n\r\nno",
}
"""Each is one answer, with whatever interim answers before it."""

BROKEN_ANSWERS = {
    **MALFORMED,
    "trailers that would frame": OK + _CODING + b"\r\n2\r\nok\r\n0\r\n"
    b"Content-Length: 9\r\nTransfer-Encoding: x\r\nSet-Cookie: a=b\r\n\r\n",
}
"""Each is none."""

SURPLUS = {
    "behind a length": OK + b"Content-Length: 2\r\n\r\nok" + HIDDEN_ANSWER,
    "behind no length": OK + b"Content-Length: 0\r\n\r\n" + HIDDEN_ANSWER,
    "behind chunks": OK + _CODING + b"\r\n2\r\nok\r\n0\r\n\r\n" + HIDDEN_ANSWER,
    "behind 204": b"HTTP/1.1 204 No\r\n\r\n" + HIDDEN_ANSWER,
    "behind 204 with a length": b"HTTP/1.1 204 No\r\nContent-Length: 57\r\n\r\n"
    + HIDDEN_ANSWER,
    "behind 304": b"HTTP/1.1 304 No\r\nContent-Length: 57\r\n\r\n" + HIDDEN_ANSWER,
    "line ends": OK + b"Content-Length: 2\r\n\r\nok\r\n\r\n",
}
"""Each has an answer, and bytes behind it that nobody may take for the next one."""
