"""The paths of documents that are always the same, and of pages of links."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.httpbin.redirects import redirection
from nbtwisted.server.routes.parameters import read, whole_number
from nbtwisted.server.routes.router import Server, route

__all__ = ["sample"]

MOST_LINKS = 256
"""Links of a page, as in go-httpbin."""

_FOLDER = Path(__file__).parent / "samples"

_TEXT = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"

_DOCUMENTS = {
    "/deny": ("deny.txt", _TEXT),
    "/encoding/utf8": ("utf8.html", _HTML),
    "/forms/post": ("form.html", _HTML),
    "/html": ("page.html", _HTML),
    "/json": ("slides.json", "application/json"),
    "/robots.txt": ("robots.txt", _TEXT),
    "/xml": ("slides.xml", "application/xml"),
}
"""The file of each path, and its Content-Type."""


@cache
def sample(file: str, content_type: str) -> Behaviour:
    """Answer with one of the server's files."""
    content = (_FOLDER / file).read_bytes()
    return Behaviour(Whole(content), headers=(("Content-Type", content_type),))


def _document(
    server: Server, request: Request, file: str, content_type: str
) -> Behaviour:
    return sample(file, content_type)


for _path, (_file, _type) in _DOCUMENTS.items():
    route(_path)(partial(_document, file=_file, content_type=_type))


@route("/links/<n>")
def links(server: Server, request: Request, n: str) -> Behaviour:
    """Redirect to the first of `n` pages of links."""
    count = read("n", n, whole_number(1, MOST_LINKS))
    return redirection(f"/links/{count}/0")


@route("/links/<n>/<offset>")
def page_of_links(server: Server, request: Request, n: str, offset: str) -> Behaviour:
    """Answer with links to `n` such pages; this page's own is no link."""
    count = read("n", n, whole_number(1, MOST_LINKS))
    own = read("offset", offset, whole_number(0, count - 1))
    links = [f"<a href='/links/{count}/{page}'>{page}</a>" for page in range(count)]
    links[own] = str(own)
    head = "<html><head><title>Links</title></head><body>"
    content = f"{head}{' '.join(links)}</body></html>".encode()
    return Behaviour(Whole(content), headers=(("Content-Type", _HTML),))
