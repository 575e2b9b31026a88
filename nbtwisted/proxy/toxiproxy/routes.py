"""Klein's app of the API: the paths of Toxiproxy, and what each answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import MethodNotAllowed, NotFound

from nbtwisted.proxy.toxiproxy.admission import BROWSER, check_caller
from nbtwisted.proxy.toxiproxy.collection import Collection, Wanted
from nbtwisted.proxy.toxiproxy.document import Fields, parse_list, parse_object
from nbtwisted.proxy.toxiproxy.errors import ApiError, missing_field
from nbtwisted.proxy.toxiproxy.toxics import (
    TOXIC_EXAMPLE,
    Toxic,
    check_name,
    read_toxic,
    updated,
)
from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.body import Generated, Whole
from nbtwisted.server.model.controls import Statuses
from nbtwisted.server.model.request import Request

__all__ = ["Routes"]

_logger = Logger(namespace="nbtwisted")

PROXY_EXAMPLE = (
    '{"name": "redis", "listen": "127.0.0.1:26379", "upstream": "127.0.0.1:6379"}'
)
UPDATE_EXAMPLE = '{"enabled": false}'

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

_app = Klein()
# A path is answered as it came, never by a redirect to a tidier one.
_app.url_map.merge_slashes = False

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Behaviour]])


def _route(path: str, *methods: str) -> Callable[[Handler], Handler]:
    """Answer requests for `path` by these methods with what the method returns."""

    def register(handler: Handler) -> Handler:
        _app.route(path, methods=methods)(handler)  # type: ignore[type-var]
        return handler

    return register


class Routes:
    """The paths of the API over a collection of proxies.

    `version` is what `GET /version` says, and `instance_id` begins the identifiers of
    requests. Callers on other machines are let in by `allow_remote`.
    """

    app = _app

    def __init__(
        self,
        collection: Collection,
        *,
        version: str,
        instance_id: str,
        allow_remote: bool,
    ) -> None:
        self._collection = collection
        self._version = version
        self._instance_id = instance_id
        self._allow_remote = allow_remote
        self._requests = 0

    def answer(self, request: Request) -> Deferred[Behaviour]:
        """The response to a request, when ports are open or closed; it never fails."""
        self._requests += 1
        number = ("X-Toxiproxy-Request-Id", f"{self._instance_id}{self._requests:08x}")
        answered = Deferred.fromCoroutine(self._answer(request))
        answered.addErrback(self._fail, request)
        return answered.addCallback(
            lambda it: it._replace(headers=(*it.headers, number))
        )

    async def _answer(self, request: Request) -> Behaviour:
        try:
            check_caller(request, allow_remote=self._allow_remote)
            path = unquote_to_bytes(request.path).decode("utf-8", "backslashreplace")
            method = request.method.decode("ascii", "backslashreplace")
            endpoint, parts = _adapter.match(path, method)
            return await self.app.execute_endpoint(  # type: ignore[no-any-return, misc]
                str(endpoint),
                request,  # type: ignore[arg-type]
                **parts,
            )
        except ApiError as error:
            return _refusal(error)
        except NotFound:
            return _text("404 page not found\n", 404)
        except MethodNotAllowed as error:
            allowed = ", ".join(sorted(error.valid_methods or ()))
            refused = ApiError(f"method not allowed: expected {allowed}", 405)
            return _refusal(refused, ("Allow", allowed))

    def _fail(self, why: Failure, request: Request) -> Behaviour:
        _logger.failure(
            "the route of {method!r} {target!r} fails",
            why,
            method=request.method,
            target=request.target,
        )
        return _refusal(ApiError("internal server error", 500))

    # Proxies.

    @_route("/proxies", "GET")
    async def all_proxies(self, request: Request) -> Behaviour:
        """All proxies by their names, with their toxics."""
        proxies = list(self._collection)

        def pieces() -> Iterator[bytes]:
            # Ten thousand toxics at once would hold up others for 30 ms.
            separator = "{"
            for proxy in proxies:
                name, shown = _compact(proxy.name), _compact(proxy.as_json())
                yield f"{separator}{name}:{shown}".encode()
                separator = ","
            yield b"}" if proxies else b"{}"

        return Behaviour(Generated(pieces))

    @_route("/proxies", "POST")
    async def create_proxy(self, request: Request) -> Behaviour:
        """Make a proxy."""
        fields = parse_object(request.body, PROXY_EXAMPLE)
        proxy = await self._collection.add(_wanted(fields))
        return _json(proxy.as_json(), 201)

    @_route("/populate", "POST")
    async def populate(self, request: Request) -> Behaviour:
        """Make proxies, or put them in the place of others of the same names."""
        try:
            given = parse_list(request.body, PROXY_EXAMPLE)
            wanted = [_wanted(it, f" at proxy {n}") for n, it in enumerate(given, 1)]
        except ApiError as error:
            return _json({**error.as_json(), "proxies": None}, error.status)
        done, failed = await self._collection.populate(wanted)
        # An empty list is null in Toxiproxy's answers.
        shown = {"proxies": [proxy.as_json() for proxy in done] or None}
        if failed is not None:
            return _json({**failed.as_json(), **shown}, failed.status)
        return _json(shown, 201)

    @_route("/proxies/<proxy>", "GET")
    async def show_proxy(self, request: Request, proxy: str) -> Behaviour:
        """One proxy and its toxics."""
        return _json(self._collection.get(proxy).as_json())

    @_route("/proxies/<proxy>", "POST", "PATCH")
    async def update_proxy(self, request: Request, proxy: str) -> Behaviour:
        """Change where a proxy listens or leads to, or whether it is enabled."""

        def change(now: Wanted) -> Wanted:
            fields = parse_object(request.body, UPDATE_EXAMPLE)
            return Wanted(
                now.name,
                fields.text("listen", now.listen),
                fields.text("upstream", now.upstream),
                fields.truth("enabled", now.enabled),
            )

        return _json((await self._collection.update(proxy, change)).as_json())

    @_route("/proxies/<proxy>", "DELETE")
    async def delete_proxy(self, request: Request, proxy: str) -> Behaviour:
        """Close a proxy and forget it."""
        await self._collection.remove(proxy)
        return _NOTHING

    @_route("/reset", "POST")
    async def reset(self, request: Request) -> Behaviour:
        """Enable all proxies, and remove all toxics."""
        await self._collection.reset()
        return _NOTHING

    # Toxics.

    @_route("/proxies/<proxy>/toxics", "GET")
    async def all_toxics(self, request: Request, proxy: str) -> Behaviour:
        """The toxics of a proxy."""
        toxics = self._collection.get(proxy).ordered_toxics()
        return _json([toxic.as_json() for toxic in toxics])

    @_route("/proxies/<proxy>/toxics", "POST")
    async def create_toxic(self, request: Request, proxy: str) -> Behaviour:
        """Have a toxic act on a proxy."""
        self._collection.get(proxy)
        toxic = read_toxic(parse_object(request.body, TOXIC_EXAMPLE))
        self._collection.add_toxic(proxy, toxic)
        return _json(toxic.as_json())

    @_route("/proxies/<proxy>/toxics/<toxic>", "GET")
    async def show_toxic(self, request: Request, proxy: str, toxic: str) -> Behaviour:
        """One toxic."""
        return _json(self._collection.get(proxy).toxic(toxic).as_json())

    @_route("/proxies/<proxy>/toxics/<toxic>", "POST", "PATCH")
    async def update_toxic(self, request: Request, proxy: str, toxic: str) -> Behaviour:
        """Change attributes of a toxic, or its toxicity."""

        def change(now: Toxic) -> Toxic:
            return updated(now, parse_object(request.body, TOXIC_EXAMPLE))

        changed = self._collection.get(proxy).update_toxic(toxic, change)
        return _json(changed.as_json())

    @_route("/proxies/<proxy>/toxics/<toxic>", "DELETE")
    async def delete_toxic(self, request: Request, proxy: str, toxic: str) -> Behaviour:
        """Have a toxic act no longer."""
        self._collection.get(proxy).remove_toxic(toxic)
        return _NOTHING

    # What is told of the server.

    @_route("/version", "GET")
    async def version(self, request: Request) -> Behaviour:
        """The version of Toxiproxy that this is like, and our own."""
        text = json.dumps({"version": self._version}) + "\n"
        return _text(text, 200, "application/json;charset=utf-8")

    @_route("/metrics", "GET")
    async def metrics(self, request: Request) -> Behaviour:
        """Figures of the proxies, as Prometheus reads them."""
        # Prometheus' library takes 0.1 s to import.
        from nbtwisted.proxy.toxiproxy.metrics import exposition

        accept = request.header("accept") or ""
        text, content_type = exposition(self._collection, accept)
        return Behaviour(Whole(text), headers=(("Content-Type", content_type),))


_adapter = _app.url_map.bind("localhost")

_compact = json.JSONEncoder(separators=(",", ":")).encode
"""Writes JSON as Go does."""

_NOTHING = Behaviour(Whole(b""), statuses=Statuses((204,)), headers=())


def _wanted(fields: Fields, where: str = "") -> Wanted:
    """A proxy that is to be made; raises `ApiError`."""
    name, upstream = fields.text("name", ""), fields.text("upstream", "")
    if not name:
        raise missing_field(f"name{where}")
    if not upstream:
        raise missing_field(f"upstream{where}")
    check_name("name", name)
    return Wanted(
        name, fields.text("listen", ""), upstream, fields.truth("enabled", True)
    )


def _json(value: Any, status: int = 200, *headers: tuple[str, str]) -> Behaviour:
    return _text(_compact(value), status, JSON, *headers)


def _refusal(error: ApiError, *headers: tuple[str, str]) -> Behaviour:
    if error.message == BROWSER:
        return _text(f"{BROWSER}\n", error.status)
    return _text(_compact(error.as_json()) + "\n", error.status, JSON, *headers)


def _text(
    text: str, status: int, content_type: str = TEXT, *headers: tuple[str, str]
) -> Behaviour:
    return Behaviour(
        Whole(text.encode()),
        statuses=Statuses((status,)),
        headers=(("Content-Type", content_type), *headers),
    )
