"""Paths that answer with the request itself, or with a part of it."""

from __future__ import annotations

from nbtwisted.server.model.behaviour import (
    Behaviour,
    json_behaviour,
)
from nbtwisted.server.model.body import (
    Whole,
)
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes import echo as echoes
from nbtwisted.server.routes.origin import client
from nbtwisted.server.routes.router import ANY, Server, route

_BYTES = (("Content-Type", "application/octet-stream"),)
_TEXT = (("Content-Type", "text/plain; charset=utf-8"),)


@route("/get")
def get(server: Server, request: Request) -> Behaviour:
    """Echo the request."""
    return json_behaviour(echoes.echo(request))


route("/head", "HEAD")(get)


@route("/post", "POST")
@route("/put", "PUT")
@route("/patch", "PATCH")
@route("/delete", "DELETE")
def with_body(server: Server, request: Request) -> Behaviour:
    """Echo the request and its body."""
    return echoes.behaviour_with_body(request)


@route("/anything", ANY)
@route("/anything/<rest:rest>", ANY)
def anything(server: Server, request: Request, rest: str = "") -> Behaviour:
    """Echo the request, its body and its method."""
    method = request.method.decode("ascii")
    return echoes.behaviour_with_body(request, method=method)


@route("/upload", "POST", "PUT", "PATCH")
def upload(server: Server, request: Request) -> Behaviour:
    """Echo the request, and count the bytes of its body."""
    method, received = request.method.decode("ascii"), len(request.body)
    echo = {**echoes.echo(request), "method": method, "bytes_received": received}
    return json_behaviour(echo)


@route("/dump/request", ANY)
def dump_request(server: Server, request: Request) -> Behaviour:
    """Answer with the bytes of the request."""
    lines = [b"%b: %b\r\n" % line for line in request.headers.lines]
    first = b"%b %b %b\r\n" % (request.method, request.target, request.version)
    content = b"".join((first, *lines, b"\r\n", request.body))
    return Behaviour(Whole(content), headers=_TEXT)


@route("/headers")
def headers(server: Server, request: Request) -> Behaviour:
    """Echo the headers."""
    return json_behaviour({"headers": echoes.headers(request)})


@route("/ip")
def ip(server: Server, request: Request) -> Behaviour:
    """Tell the client's address."""
    return json_behaviour({"origin": client(request)})


@route("/user-agent")
def user_agent(server: Server, request: Request) -> Behaviour:
    """Echo the header User-Agent."""
    return json_behaviour({"user-agent": request.header("user-agent")})


@route("/hostname")
def hostname(server: Server, request: Request) -> Behaviour:
    """Tell the name of the server: of the program, not of its machine."""
    return json_behaviour({"hostname": "nbtwisted"})
