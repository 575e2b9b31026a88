"""Refuses what would make Klein itself stumble, and log a traceback."""

from __future__ import annotations

# Werkzeug loads this codec for the first request, which is too late if by then so many
# connections are open that no file can be.
import encodings.idna  # noqa: F401
import re
from urllib.parse import unquote_to_bytes as unquote

from twisted.internet.defer import Deferred
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from werkzeug.exceptions import BadHost

from nbtwisted.server.behaviour import Behaviour, refusal
from nbtwisted.server.body import Whole
from nbtwisted.server.browsers import SANDBOX, is_for_operators, is_preflight
from nbtwisted.server.framing import LARGEST_REQUEST_BODY
from nbtwisted.server.parameters import header, unreadable
from nbtwisted.server.traffic import Traffic

__all__ = ["Doorkeeper"]


class Doorkeeper(Resource):
    """Stands before `klein`, and answers itself what must not get there."""

    isLeaf = True

    def __init__(self, klein: IResource, traffic: Traffic) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._klein = klein
        self._traffic = traffic

    def render(self, request: Request) -> int:
        """Let Klein answer, or answer that it could not have read the request."""
        _take_off_origin(request)
        for name, value in SANDBOX:
            # For what twisted.web answers itself when a route has a fault of ours.
            request.setHeader(name, value)
        if request.getHeader(b"host") is None and not hasattr(
            request.getHost(), "host"
        ):
            # Twisted falls back on our own address, and a UNIX socket has no host.
            request.requestHeaders.setRawHeaders(b"host", [b"localhost"])
        host: bytes = request.getRequestHostname()
        if not _is_utf8(b"/".join(request.postpath or ())):
            self._refuse(request, "path", request.path, "percent-encoded UTF-8")
        elif not _is_utf8(request.method):
            self._refuse(request, "method", request.method, "GET or HEAD")
        elif not _is_utf8(host):
            self._refuse(request, "host", host, "a host name in UTF-8")
        elif _length(request) > LARGEST_REQUEST_BODY:
            expected = f"a body of at most {LARGEST_REQUEST_BODY} bytes"
            problem = refusal(413, "request entity too large", expected=expected)
            self._answer(request, problem)
        elif _asks_what_is_allowed(request):
            self._answer(request, Behaviour(Whole(b""), headers=()))
        else:
            try:
                self._klein.render(request)
            except BadHost:
                self._refuse(request, "host", host, "a host name as DNS has them")
        return NOT_DONE_YET

    def _refuse(
        self, request: Request, control: str, value: bytes, expected: str
    ) -> None:
        shown = value.decode("ascii", "backslashreplace")
        self._answer(request, unreadable(control, shown, expected))

    def _answer(self, request: Request, behaviour: Behaviour) -> None:
        async def answer() -> None:
            await self._traffic.answer(behaviour, request)
            request.finish()

        Deferred.fromCoroutine(answer())


def _asks_what_is_allowed(request: Request) -> bool:
    """Whether it is a preflight, or asks this of the whole server.

    Whatever will be answered to the request that a preflight is for, it may be sent.
    """
    if is_for_operators(request.path):
        return False
    if request.uri == b"*":
        return bool(request.method == b"OPTIONS")
    return is_preflight(request.method, lambda name: header(request, name))


def _length(request: Request) -> int:
    """Bytes of the request's body."""
    content = request.content
    assert content is not None
    length: int = content.seek(0, 2)
    content.seek(0)
    return length


def _take_off_origin(request: Request) -> None:
    """Make the target that a proxy gets, `http://host/path`, the same as `/path`.

    RFC 9112, 3.2.2: a server must accept it.
    """
    absolute = re.fullmatch(rb"https?://[^/?]*(.*)", request.uri, re.I | re.S)
    if absolute:
        target = absolute[1] if absolute[1].startswith(b"/") else b"/" + absolute[1]
        request.uri = target
        request.path = target.partition(b"?")[0]
        request.postpath = [unquote(part) for part in request.path[1:].split(b"/")]


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
