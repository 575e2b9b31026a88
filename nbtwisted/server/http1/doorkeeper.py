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

from nbtwisted.server.engine.traffic import Traffic
from nbtwisted.server.http1.framing import LARGEST_REQUEST_BODY
from nbtwisted.server.model.behaviour import Behaviour, refusal
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.browsers import SANDBOX, is_for_operators, is_preflight
from nbtwisted.server.model.host import is_host
from nbtwisted.server.routes.origin import take_off_origin
from nbtwisted.server.routes.parameters import header, unreadable

__all__ = ["Doorkeeper"]


_ABSOLUTE = re.compile(rb"(https?)://([^/?]*)(.*)", re.I | re.S).fullmatch


class Doorkeeper(Resource):
    """Stands before `klein`, and answers itself what must not get there."""

    isLeaf = True

    def __init__(self, klein: IResource, traffic: Traffic) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._klein = klein
        self._traffic = traffic

    def render(self, request: Request) -> int:
        """Let Klein answer, or answer that it could not have read the request."""
        for name, value in SANDBOX:
            # For what twisted.web answers itself when a route has a fault of ours.
            request.setHeader(name, value)
        problem = _take_target(request) or _problem(request)
        if problem is not None:
            self._answer(request, problem)
        elif _asks_what_is_allowed(request):
            self._answer(request, Behaviour(Whole(b""), headers=()))
        else:
            # Klein wants UTF-8, and shows what it cannot find.
            request.postpath = [
                part.decode("utf-8", "backslashreplace").encode()
                for part in request.postpath or ()
            ]
            if not (request.getHeader(b"host") or hasattr(request.getHost(), "host")):
                # Klein asks for a host, which a UNIX socket has not.
                request.getRequestHostname = lambda: b""  # type: ignore[method-assign]
            self._klein.render(request)
        return NOT_DONE_YET

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
        return True
    return is_preflight(request.method, lambda name: header(request, name))


def _length(request: Request) -> int:
    """Bytes of the request's body."""
    content = request.content
    assert content is not None
    length: int = content.seek(0, 2)
    content.seek(0)
    return length


def _problem(request: Request) -> Behaviour | None:
    """What is wrong with a request; the fast channel has refused the most of it."""
    hosts = request.requestHeaders.getRawHeaders(b"host", [])
    if len(hosts) > 1 or (not hosts and request.clientproto == b"HTTP/1.1"):
        return refusal(400, "bad request", expected="one Host header")
    if hosts and not is_host(hosts[0]):
        expected = "a host, and perhaps a port, such as localhost:8000"
        return _unreadable("host", hosts[0], expected)
    if not request.method.isascii():
        return _unreadable("method", request.method, "GET or HEAD")
    if _length(request) > LARGEST_REQUEST_BODY:
        expected = f"a body of at most {LARGEST_REQUEST_BODY} bytes"
        return refusal(413, "request entity too large", expected=expected)
    return None


def _take_target(request: Request) -> Behaviour | None:
    """Make the target a path, as Klein wants it; returns what is wrong with it.

    RFC 9112, 3.2: a server must accept the whole URL, too, that a proxy gets.
    """
    absolute = _ABSOLUTE(request.uri)
    if absolute:
        scheme, host, rest = absolute.groups()
        if not host:
            return _unreadable("target", request.uri, "a URL with a host")
        take_off_origin(
            request, scheme, host, rest if rest.startswith(b"/") else b"/" + rest
        )
        request.postpath = [unquote(part) for part in request.path[1:].split(b"/")]
    elif not request.uri.startswith(b"/") and (
        (request.method, request.uri) != (b"OPTIONS", b"*")
    ):
        # twisted.web would take the first character for a slash.
        return _unreadable("target", request.uri, "a path such as /get, or a URL")
    return None


def _unreadable(control: str, value: bytes, expected: str) -> Behaviour:
    return unreadable(control, value.decode("ascii", "backslashreplace"), expected)
