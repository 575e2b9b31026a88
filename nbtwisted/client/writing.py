"""From a request to its bytes. Pure."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import unquote_to_bytes

from nbtwisted import __version__
from nbtwisted.client.header import Headers
from nbtwisted.client.message import Message
from nbtwisted.client.proxies import Proxy
from nbtwisted.client.target import Origin, Target
from nbtwisted.memo import LONGEST_REMEMBERED, Memo

__all__ = ["write_message"]

_HAVE_BODIES = frozenset(("POST", "PUT", "PATCH"))
"""Of these, an empty body has a length, too: RFC 9110, 8.6."""


def write_message(
    target: Target,
    method: str = "GET",
    headers: Headers = (),
    body: bytes = b"",
    *,
    keep_alive: bool = False,
    proxy: Proxy | None = None,
) -> Message:
    """The whole request; nothing that a URL holds can end a line of it, or itself.

    `method` and `headers` are as `Job` has checked them, the latter in place of ours.
    Unless it is to `keep_alive`, the server is told that the connection may close. A
    `proxy` that is to pass it on, and not a tunnel, is told where to and who we are.
    """
    authorization = None if proxy is None else proxy.authorization
    fields = _fields(
        (target.origin, target.credentials, tuple(headers), keep_alive, authorization)
    )
    asked_for = target.path if proxy is None else target.sent_url
    length = b""
    if body or method in _HAVE_BODIES:
        length = b"Content-Length: %d\r\n" % len(body)
    head = b"%b %b HTTP/1.1\r\n%b%b\r\n" % (
        method.encode("ascii"),
        asked_for.encode("ascii"),
        fields,
        length,
    )
    return Message(head, body)


_Asked = tuple[Origin, str, Headers, bool, "str | None"]


def _make_fields(asked: _Asked) -> bytes:
    origin, credentials, headers, keep_alive, proxy_authorization = asked
    ours = {
        "Host": origin.place,
        "User-Agent": f"nbtwisted/{__version__}",
        "Accept": "*/*",
    }
    if proxy_authorization is not None:
        ours["Proxy-Authorization"] = proxy_authorization
    if not keep_alive:
        ours["Connection"] = "close"
    if credentials:
        user, _, password = credentials[:-1].partition(":")
        pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        ours["Authorization"] = f"Basic {b64encode(pair).decode()}"
    given = {name.lower() for name, _ in headers}
    lines = [f"{n}: {v}" for n, v in ours.items() if n.lower() not in given]
    # A name without a value takes our header away, as with curl.
    lines += [f"{name}: {value}" for name, value in headers if value]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


def _is_short(asked: _Asked) -> bool:
    _, credentials, headers, _, authorization = asked
    size = len(credentials) + len(authorization or "")
    size += sum(len(name) + len(value) for name, value in headers)
    return size <= LONGEST_REMEMBERED


_fields = Memo(_make_fields, fits=_is_short)
"""The header of a request: for an origin, credentials, headers in place of ours,
whether the connection is to be kept, and what a proxy is told of us."""
