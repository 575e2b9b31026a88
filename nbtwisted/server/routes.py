"""The Klein app: each route looks at a request and says what its answer will be."""

from __future__ import annotations

# Werkzeug loads this codec for the first request, which is too late if by then so many
# connections are open that no file can be.
import encodings.idna  # noqa: F401
import functools
import re
import time
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any
from urllib.parse import unquote_to_bytes as unquote

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from werkzeug.exceptions import BadHost, HTTPException, MethodNotAllowed, NotFound

from nbtwisted.duration import print_duration
from nbtwisted.printable import printable
from nbtwisted.server.answer import Performer
from nbtwisted.server.behaviour import Behaviour, json_behaviour, refusal
from nbtwisted.server.delay import DEFAULT_MAX_DELAY, Delay, UnreadableDelay
from nbtwisted.server.echo import echo

__all__ = ["DelayServer"]

_ONE_TO_THREE_SECONDS = Delay((1.0, 2.0, 3.0))
_PATHS = "/, /delay/{DELAY} or /healthz"

_app = Klein()
# A path is answered as it came, never by a redirect to a tidier one.
_app.url_map.merge_slashes = False


class _Refused(Exception):
    """The request cannot be read: `behaviour` says so to the client."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(behaviour)
        self.behaviour = behaviour


Decides = Callable[..., Behaviour]
Renders = Callable[..., Coroutine[Any, Any, bytes]]


def _performed(decide: Decides) -> Renders:
    """Give Klein a handler that carries out what `decide` decides."""

    @functools.wraps(decide)
    def render(
        server: DelayServer, request: Request, *failure: Failure, **parts: str
    ) -> Coroutine[Any, Any, bytes]:
        behaviour = decide(server, request, *failure, **parts)
        return server.performer.perform(behaviour, request)

    return render


def _route(path: str) -> Callable[[Decides], Renders]:
    return lambda decide: _app.route(path, methods=["GET"])(_performed(decide))


def _on_error(error: type[Exception]) -> Callable[[Decides], Renders]:
    return lambda decide: _app.handle_errors(error)(_performed(decide))


class DelayServer:
    """The app with its clock and its limits.

    `clock` runs the delays. `now` reads the seconds that they are measured by.
    `random` draws the delays that are not fixed. `max_delay` is in seconds.
    """

    app = _app

    def __init__(
        self,
        *,
        clock: IReactorTime,
        now: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        max_delay: float = DEFAULT_MAX_DELAY,
    ) -> None:
        self.max_delay = max_delay
        self.performer = Performer(clock, now, random or Random())

    def resource(self) -> Resource:
        """The app as twisted.web wants it."""
        return _Doorkeeper(self)

    @_route("/")
    def root(self, request: Request) -> Behaviour:
        """Wait 1, 2 or 3 seconds, or as `_delay` asks, and tell how long it was."""
        asked: list[bytes] = request.args.get(b"_delay", [])
        if len(asked) > 1:
            raise _Refused(
                _unreadable(
                    "_delay", _shown(b", ".join(asked)), "one value, not several"
                )
            )
        return Behaviour(
            _wait_time,
            self._read_delay("_delay", asked[0]) if asked else _ONE_TO_THREE_SECONDS,
        )

    @_route("/delay/<text>")
    def delay(self, request: Request, text: str) -> Behaviour:
        """Wait as the path asks, then echo the request."""
        return json_behaviour(
            echo(request), delay=self._read_delay("delay", text.encode())
        )

    @_route("/healthz")
    def healthz(self, request: Request) -> Behaviour:
        """Say at once that the server is alive."""
        return json_behaviour({"status": "ok"})

    @_on_error(_Refused)
    def refused(self, request: Request, failure: Failure) -> Behaviour:
        """Answer what the route said when it gave up."""
        assert isinstance(failure.value, _Refused)
        return failure.value.behaviour

    @_on_error(NotFound)
    def not_found(self, request: Request, failure: Failure) -> Behaviour:
        """Name the paths that there are."""
        return refusal(404, "no such path", value=_shown(request.path), expected=_PATHS)

    @_on_error(MethodNotAllowed)
    def method_not_allowed(self, request: Request, failure: Failure) -> Behaviour:
        """Name the methods that the path takes."""
        assert isinstance(failure.value, MethodNotAllowed)
        methods = ", ".join(sorted(failure.value.valid_methods or ()))
        return refusal(
            405,
            "this path does not take this method",
            ("Allow", methods),
            value=_shown(request.method),
            expected=methods,
        )

    @_on_error(HTTPException)
    def other_http_error(self, request: Request, failure: Failure) -> Behaviour:
        """Say in JSON what werkzeug objects to."""
        assert isinstance(failure.value, HTTPException)
        return refusal(failure.value.code or 500, failure.value.name.lower())

    def _read_delay(self, control: str, raw: bytes) -> Delay:
        try:
            return Delay.parse(raw.decode("utf-8", "replace"), longest=self.max_delay)
        except UnreadableDelay as error:
            raise _Refused(_unreadable(control, _shown(raw), str(error))) from None


class _Doorkeeper(Resource):
    """Refuses what would make Klein itself stumble, and log a traceback."""

    isLeaf = True

    def __init__(self, server: DelayServer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._klein = server.app.resource()

    def render(self, request: Request) -> int:
        """Let Klein answer, or answer that it could not have read the request."""
        _take_off_origin(request)
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
        else:
            try:
                self._klein.render(request)
            except BadHost:
                self._refuse(request, "host", host, "a host name as DNS has them")
        return NOT_DONE_YET

    def _refuse(
        self, request: Request, control: str, value: bytes, expected: str
    ) -> None:
        behaviour = _unreadable(control, _shown(value), expected)

        async def answer() -> None:
            request.write(await self._server.performer.perform(behaviour, request))
            request.finish()

        Deferred.fromCoroutine(answer())


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


def _wait_time(asked: float) -> bytes:
    return b'["wait time: %bsec"]' % print_duration(asked).encode()


def _unreadable(control: str, value: str, expected: str) -> Behaviour:
    return refusal(
        400,
        f"bad value for {control}",
        control=control,
        value=value,
        expected=expected,
    )


def _shown(raw: bytes) -> str:
    return printable(raw.decode("ascii", "backslashreplace"), longest=80)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
