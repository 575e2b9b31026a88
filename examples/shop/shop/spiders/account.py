"""A spider that hangs: a page waits for a login, and nobody says that there was one."""

from collections.abc import AsyncIterator
from typing import Any

import scrapy
from scrapy.http import Response
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.defer import Deferred


class AccountSpider(scrapy.Spider):
    """`scrapy crawl account -a url=URL`: a page for those who are logged in."""

    name = "account"

    def __init__(self, url: str) -> None:
        super().__init__(start_urls=[url])

    async def parse(self, response: Response, **_: Any) -> AsyncIterator[Any]:
        """An item of the page, once somebody is logged in."""
        user = await maybe_deferred_to_future(logged_in(response))
        yield {"page": response.url, "user": user}


def logged_in(response: Response) -> "Deferred[str]":
    """Fires with a user's name; but never where a page has no form."""
    user: Deferred[str] = Deferred()
    if response.css("form"):
        user.callback("somebody")
    return user
