"""A spider that blocks: it asks another server about each page, and waits for that."""

from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import scrapy
from scrapy.http import Response


class PagesSpider(scrapy.Spider):
    """`scrapy crawl pages -a url=URL`: that page, and those that it links to."""

    name = "pages"

    def __init__(self, url: str) -> None:
        super().__init__(start_urls=[url])

    def parse(self, response: Response, **_: Any) -> Iterator[Any]:
        """An item of the page, and requests for the next ones."""
        yield {"page": response.url, "score": score_of(response)}
        yield from response.follow_all(css="a")


def score_of(response: Response) -> int:
    """Ask a server that takes its time; nothing else runs until it has answered."""
    with urlopen(response.urljoin("/delay/300ms")) as answer:
        return len(answer.read())
