"""`threads_server.py REACTOR`: writes from threads; what `benchmarks.threads` asks.

Prints two ports. The first is twisted.web's: a request is answered by `request.write`
in a `deferToThread` job, as Buildbot does it. The second takes a line: `RAW n` is
answered by a thread that writes and then closes the connection; `PING` by one that
writes eight bytes for each line of stdin, with nothing else to wake the reactor; `END`
by what is left and what has failed, in JSON.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from typing import Any

BODY = bytes(range(251)) * 4000
"""What bodies are cut from: a byte says where it belongs."""


def pieces_of(number: int) -> list[bytes]:
    """The pieces in which a body is written; of different sizes, some large."""
    chance = random.Random(number)
    pieces = []
    start = 0
    for _ in range(chance.randrange(1, 12)):
        size = chance.choice([1, 10, 1000, 20_000, 200_000])
        first = start % 251
        pieces.append(BODY[first : first + size])
        start += size
    return pieces


def main(reactor_name: str) -> None:
    """Serve until it is ended."""
    from twisted.application.reactors import installReactor

    installReactor(reactor_name)
    from twisted.internet import reactor  # noqa: TID251 - as a program may
    from twisted.internet.protocol import Factory, connectionDone
    from twisted.internet.threads import deferToThread
    from twisted.protocols.basic import LineOnlyReceiver
    from twisted.python import log
    from twisted.web.resource import Resource
    from twisted.web.server import NOT_DONE_YET, Site

    net: Any = reactor
    net.suggestThreadPoolSize(30)
    logged: list[str] = []
    jobs = {"begun": 0, "ended": 0, "open": 0}

    def observe(event: dict[str, Any]) -> None:
        if event.get("isError"):
            logged.append(str(event.get("failure") or event))

    log.addObserver(observe)

    def write_all(write: Any, number: int) -> None:
        chance = random.Random(number)
        for piece in pieces_of(number):
            write(piece)
            # The next comes while the reactor sends, or sleeps, or does another's work.
            threading.Event().wait(chance.choice([0, 0, 0.0005, 0.005]))

    class Web(Resource):
        isLeaf = True

        def render_GET(self, request: Any) -> int:
            number = int(request.args[b"n"][0])
            length = sum(map(len, pieces_of(number)))
            request.setHeader(b"content-length", b"%d" % length)
            has_left: list[object] = []
            request.notifyFinish().addErrback(has_left.append)

            def end(result: object) -> None:
                jobs["ended"] += 1
                if not has_left:
                    # An error, if there is one, comes from a request that nobody left.
                    request.finish()
                    if result is not None:
                        logged.append(str(result))

            jobs["begun"] += 1
            deferToThread(write_all, request.write, number).addBoth(end)
            return NOT_DONE_YET

    class Raw(LineOnlyReceiver):
        transport: Any
        delimiter = b"\n"

        def connectionMade(self) -> None:
            jobs["open"] += 1

        def connectionLost(self, reason: Any = connectionDone) -> None:
            jobs["open"] -= 1

        def lineReceived(self, line: bytes) -> None:
            command, _, number = line.partition(b" ")
            if command == b"END":
                left = {**jobs, "open": jobs["open"] - 1, "logged": logged}
                self.transport.write(json.dumps(left).encode())
                self.transport.loseConnection()
                return
            jobs["begun"] += 1
            job = self.ping if command == b"PING" else self.write_and_close
            deferToThread(job, int(number or 0)).addBoth(self.ended)

        def ended(self, result: object) -> None:
            jobs["ended"] += 1
            if result is not None:
                logged.append(str(result))

        def write_and_close(self, number: int) -> None:
            write_all(self.transport.write, number)
            self.transport.loseConnection()

        def ping(self, _: int) -> None:
            count = 0
            while sys.stdin.readline() == "next\n":
                self.transport.write(b"%8d" % count)
                count += 1
            self.transport.loseConnection()

    web: Any = Web
    site: Any = Site(web())
    site.log = lambda request: None
    factory = Factory.forProtocol(Raw)
    ports = [
        net.listenTCP(0, each, backlog=200, interface="127.0.0.1").getHost().port
        for each in (site, factory)
    ]
    print(*ports, flush=True)
    net.run()


if __name__ == "__main__":
    main(sys.argv[1])
