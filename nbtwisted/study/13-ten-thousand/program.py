"""Send ten thousand GETs at once in four ways, each in its own process."""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor as Pool
from contextlib import suppress
from resource import RUSAGE_SELF, getrusage
from socket import create_connection
from threading import active_count

from twisted.internet.task import react

from nbtwisted import client, command_line, reactor

SERVER = ("127.0.0.1", int(sys.argv[1]))
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
JOBS = min(int([*sys.argv, "10000"][2]), command_line.raise_open_files() - 100)
answers: list[tuple[int, bytes]] = []  # Each with the number of threads.


def get(_: int) -> None:
    with create_connection(SERVER) as connection:
        connection.sendall(REQUEST)
        answers.append((active_count(), connection.makefile("rb").read()))


async def use_asyncio() -> None:
    async def get() -> None:
        reader, writer = await asyncio.open_connection(*SERVER)
        writer.write(REQUEST)
        answers.append((active_count(), await reader.read()))
        writer.close()

    await asyncio.gather(*[get() for _ in range(JOBS)])


async def use_twisted(net: object) -> None:
    urls = ["http://{}:{}/".format(*SERVER)] * JOBS
    results = await client.get_all(urls, reactor=net, concurrency=JOBS)
    answers.extend((active_count(), b"") for good, _ in results if good)


for way in "threads", "asyncio", "twisted", "eagerly":
    if os.fork() == 0:
        start = os.times().elapsed
        with suppress(SystemExit, RuntimeError), Pool(JOBS) as pool:
            if way == "threads":
                pool.map(get, range(JOBS))  # RuntimeError: no more may start.
            elif way == "asyncio":
                asyncio.run(use_asyncio())
            else:
                if way == "eagerly":
                    reactor.install()
                react(use_twisted)  # It ends with SystemExit.
        seconds, used = os.times().elapsed - start, getrusage(RUSAGE_SELF)
        row = f"{way}: {len(answers)} in {seconds:5.1f} s, CPU {sum(used[:2]):4.1f} s"
        print(f"{row}, {used[2] // 1000:3} MB, {max(answers)[0]:4} threads", flush=True)
        sys.exit()
    os.wait()
