"""The server's own paths: `/` and `/delay`."""

from __future__ import annotations

from functools import partial

from nbtwisted.duration import print_duration
from nbtwisted.memo import Memo
from nbtwisted.server.model.behaviour import Behaviour, json_behaviour
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.delay import Delay
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.echo import behaviour_with_body, echo
from nbtwisted.server.routes.parameters import read
from nbtwisted.server.routes.router import ANY, Server, route

_ONE_TO_THREE_SECONDS = Delay((1.0, 2.0, 3.0))


@route("/")
def root(server: Server, request: Request) -> Behaviour:
    """Wait 1, 2 or 3 seconds, or as `_delay` asks, and tell how long it was."""
    return Behaviour(
        lambda asked, random: _wait_time(asked), delay=_ONE_TO_THREE_SECONDS
    )


@route("/delay/<text>", ANY)
def delay(server: Server, request: Request, text: str) -> Behaviour:
    """Wait as the path asks, then echo the request and its body."""
    delay = read("delay", text, partial(Delay.parse, longest=server.max_delay))
    if request.method in (b"GET", b"HEAD"):
        return json_behaviour(echo(request))._replace(delay=delay)
    return behaviour_with_body(request)._replace(delay=delay)


_wait_time = Memo[float, Whole](
    lambda asked: Whole(b'["wait time: %bsec"]' % print_duration(asked).encode())
)
