"""A bare Klein app that waits as ours does, for `twistd web --class`."""

from __future__ import annotations

from typing import cast

from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.iweb import IRequest

app = Klein()


@app.route("/")
def root(request: IRequest) -> Deferred[bytes]:
    """Answer after as many seconds as are asked for."""
    seconds = float(request.args.get(b"_delay", [b"0"])[0])
    body = b'["wait time: %gsec"]' % seconds
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return deferLater(cast(IReactorTime, reactor), seconds, lambda: body)


resource = app.resource
