"""A service whose workers wait: for a timer, an answer, a thread, and for nobody.

`nbtwisted trace twistd --pidfile= -noy examples/prices.py` runs it, and `nbtwisted ps`
shows for what each worker waits. One waits for ever, because `connectionLost` forgets
those who wait for an answer.
"""

import threading
from typing import Any

from twisted.application.service import Application, Service
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    connectProtocol,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.protocols.basic import LineReceiver


class Prices(LineReceiver):
    """Asks for prices, whose answers may come in any order."""

    transport: Any

    def __init__(self) -> None:
        self.asked: dict[bytes, Deferred[bytes]] = {}

    def ask(self, name: bytes) -> Deferred[bytes]:
        """The price of something."""
        self.asked[name] = Deferred()
        self.transport.write(name + b"\r\n")
        return self.asked[name]

    def lineReceived(self, line: bytes) -> None:
        """An answer, such as `tin 12`."""
        name, price = line.split()
        self.asked.pop(name).callback(price)

    def connectionLost(self, reason: Any = None) -> None:
        """It should tell those who wait that there will be no answer."""
        self.asked.clear()


class Exchange(Protocol):
    """What is asked: it knows no price, and hangs up on who asks for gold."""

    def dataReceived(self, data: bytes) -> None:
        """Somebody asks."""
        if data == b"gold\r\n" and self.transport is not None:
            self.transport.loseConnection()


class Workers(Service):
    """Starts one of each kind."""

    def __init__(self) -> None:
        self.night = threading.Event()
        self.at_work: list[Deferred[None]] = []

    async def follow(self, address: Any, name: bytes) -> None:
        """Wait for a price."""
        endpoint = TCP4ClientEndpoint(reactor, address.host, address.port)
        prices = await connectProtocol(endpoint, Prices())
        print(name, await prices.ask(name))

    async def tidy_up(self) -> None:
        """Wait for a time of the day."""
        await deferLater(reactor, 3600, print, "tidied up")

    async def report(self) -> None:
        """Wait for a thread."""
        await deferToThread(self.night.wait)

    async def run(self) -> None:
        """Start them all."""
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        port = await endpoint.listen(Factory.forProtocol(Exchange))
        workers = (
            self.tidy_up(),
            self.report(),
            self.follow(port.getHost(), b"tin"),
            self.follow(port.getHost(), b"gold"),
        )
        self.at_work = [Deferred.fromCoroutine(worker) for worker in workers]

    def startService(self) -> None:
        """Begin when the reactor does."""
        Service.startService(self)
        Deferred.fromCoroutine(self.run())

    def stopService(self) -> None:
        """End the thread, too."""
        Service.stopService(self)
        self.night.set()


application = Application("prices")
workers: Any = Workers()
workers.setServiceParent(application)
