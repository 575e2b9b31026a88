"""The paths whose body is encoded: compressed, or in base64."""

from __future__ import annotations

import gzip
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote_to_bytes

from nbtwisted.server.model.behaviour import JSON, Behaviour, json_body
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes import echo as echoes
from nbtwisted.server.routes.origin import client
from nbtwisted.server.routes.parameters import read
from nbtwisted.server.routes.router import Server, route

FASTEST = 1
"""The level of compression: the best takes 140 ms for some heads of 64 KiB."""

_TEXT = (("Content-Type", "text/plain; charset=utf-8"),)
_BYTES = (("Content-Type", "application/octet-stream"),)

_BASE64 = re.compile(r"(?:[\w-]{4})*(?:[\w-]{2}(?:==)?|[\w-]{3}=?)?", re.A)


def brotli(plain: bytes) -> bytes:
    """A Brotli stream (RFC 7932) with `plain` in it as it is, of 1 byte to 16 MiB.

    Every decoder takes it, and no library is needed to write it.
    """
    size = len(plain) - 1
    nibbles = max(-(-size.bit_length() // 4), 4)
    # 9.1 and 9.2, from the lowest bit: a window of 64 KiB (0), a block that is not the
    # last (0), how many nibbles its size has, its size, and that it is stored (1). The
    # block begins at the next byte. A last block that is empty follows (11).
    bits = (nibbles - 4) << 2 | size << 4 | 1 << (4 + 4 * nibbles)
    return bits.to_bytes(-(-(5 + 4 * nibbles) // 8), "little") + plain + b"\x03"


def _deflate(plain: bytes) -> bytes:
    return zlib.compress(plain, FASTEST)


def _gzip(plain: bytes) -> bytes:
    return gzip.compress(plain, FASTEST, mtime=0)


def _encoded(
    server: Server,
    request: Request,
    coding: str,
    encode: Callable[[bytes], bytes],
    done: str,
) -> Behaviour:
    echo = {
        done: True,
        "headers": echoes.headers(request),
        "method": request.method.decode("ascii"),
        "origin": client(request),
    }
    content = encode(json_body(echo).content)
    return Behaviour(Whole(content), headers=(*JSON, ("Content-Encoding", coding)))


route("/brotli")(partial(_encoded, coding="br", encode=brotli, done="brotli"))
route("/deflate")(partial(_encoded, coding="deflate", encode=_deflate, done="deflated"))
route("/gzip")(partial(_encoded, coding="gzip", encode=_gzip, done="gzipped"))


@route("/base64/<value>")
@route("/base64/decode/<value>")
def decode_base64(server: Server, request: Request, value: str) -> Behaviour:
    """Answer with the bytes that a text in base64 stands for."""
    content = read("value", value, _parse_base64)
    try:
        content.decode()
    except UnicodeDecodeError:
        return Behaviour(Whole(content), headers=_BYTES)
    return Behaviour(Whole(content), headers=_TEXT)


@route("/base64/encode/<value>")
def encode_base64(server: Server, request: Request, value: str) -> Behaviour:
    """Answer with the end of the path in base64, in the alphabet for URLs."""
    plain = unquote_to_bytes(request.path.rpartition(b"/")[2])
    return Behaviour(Whole(urlsafe_b64encode(plain)), headers=_TEXT)


def _parse_base64(text: str) -> bytes:
    # RFC 4648, 5. In the other alphabet is a slash, which is the path's.
    text = text.replace("+", "-")
    if not _BASE64.fullmatch(text):
        raise ValueError(
            "base64 in the alphabet for URLs, such as SGVsbG8sIHdvcmxkIQ=="
        )
    text = text.rstrip("=")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
