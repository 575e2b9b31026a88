"""The paths of an image, in the format that is named or accepted."""

from __future__ import annotations

from functools import partial

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from nbtwisted.server.model.behaviour import Behaviour, refusal
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.httpbin.documents import sample
from nbtwisted.server.routes.router import Server, route

LONGEST_ACCEPT = 1024
"""Characters of an Accept that is read; browsers send some 100."""

_BY_ACCEPT = ("Vary", "Accept")

_PNG = "image/png"

_FORMATS = {
    "image/webp": "picture.webp",
    "image/svg+xml": "picture.svg",
    "image/jpeg": "picture.jpeg",
    _PNG: "picture.png",
}
"""The file of each format; httpbin prefers them in this order."""


@route("/image")
def image(server: Server, request: Request) -> Behaviour:
    """Answer with the image in the format that the client likes best."""
    accept = request.header("accept") or "image/*"
    chosen = _best(accept) if len(accept) <= LONGEST_ACCEPT else _PNG
    if chosen is None:
        accepted = ", ".join(_FORMATS)
        return refusal(406, "no such image", _BY_ACCEPT, expected=accepted)
    found = sample(_FORMATS[chosen], chosen)
    return found._replace(headers=(*found.headers, _BY_ACCEPT))


def _best(accept: str) -> str | None:
    """The format that an Accept prefers, if it takes any: RFC 9110, 12.5.1.

    Where it takes all alike, it is PNG.
    """
    accepted = parse_accept_header(accept.lower(), MIMEAccept)
    best: str | None = accepted.best_match(_FORMATS)
    if best is None or best in {*accepted.values()}:
        return best
    return _PNG if accepted.quality(_PNG) == accepted.quality(best) else best


def _in_format(server: Server, request: Request, kind: str) -> Behaviour:
    return sample(_FORMATS[kind], kind)


for _kind, _file in _FORMATS.items():
    _suffix = _file.partition(".")[2]
    route(f"/image/{_suffix}")(partial(_in_format, kind=_kind))
