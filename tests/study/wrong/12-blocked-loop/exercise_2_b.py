"""Five downloads with a library that knows no event loop."""

import sys
from typing import Any
from urllib.request import urlopen

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react
from twisted.internet.threads import deferToThread


def download(url: str) -> bytes:
    """Somebody else's code: it waits until the answer is there."""
    with urlopen(url) as answer:
        body: bytes = answer.read()
    return body


async def job(number: int, url: str) -> None:
    body = await deferToThread(download, url)
    print(f"job {number}: {body.decode()}")


async def main(reactor: Any, port: str) -> None:
    url = f"http://127.0.0.1:{port}/?_delay=500ms"
    for number in range(5):
        await job(number, url)


react(main, sys.argv[1:])
