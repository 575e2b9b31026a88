"""The driver of a run, as a part has it that runs on a worker: on stdin and stdout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.python.failure import Failure
from zope.interface import implementer

from nbtwisted import __version__, steady_clock
from nbtwisted.cluster.frame import Frame, FrameReader, write_frame
from nbtwisted.gc_tuning import collect_seldom, leave_startup_to_itself

__all__ = [
    "Driver",
    "DriverListener",
    "StandardDriver",
    "answer_ping",
    "be_part",
    "hello",
]


class DriverListener(Protocol):
    """Who is told what the driver says."""

    def frame_received(self, frame: Frame) -> None:
        """It has said this."""

    def driver_ready(self) -> None:
        """It was full, and is no more."""

    def driver_gone(self) -> None:
        """There is nobody to work for any more."""


class Driver(Protocol):
    """What a part knows of its driver."""

    listener: DriverListener | None
    is_full: bool
    """Whether it has more to read than it should; then it is time to wait."""

    def send(self, head: dict[str, Any], payload: bytes = b"") -> None:
        """Tell it something."""


def be_part(begin: Callable[[Any, Driver], Deferred[None]]) -> NoReturn:
    """Be the process of a part, until that which it begins has ended."""
    leave_startup_to_itself()
    collect_seldom()
    react(lambda reactor: begin(reactor, StandardDriver(reactor)))


def hello() -> dict[str, Any]:
    """What a part says first."""
    return {"hello": {"nbtwisted": __version__}}


def answer_ping(frame: Frame) -> dict[str, Any] | None:
    """The answer to a ping; None if the frame is none."""
    if "ping" not in frame.head:
        return None
    return {"pong": frame.head["ping"], "clock": steady_clock.now()}


@implementer(IPushProducer)
class StandardDriver(TwistedProtocol):
    """A driver at the other end of stdin and stdout. It is told hello at once."""

    def __init__(self, reactor: Any, listener: DriverListener | None = None) -> None:
        self.listener = listener
        self.is_full = False
        self._reader = FrameReader()
        self._is_gone = False
        self._stdio = StandardIO(self, reactor=reactor)
        self._stdio.registerProducer(self, streaming=True)
        self.send(hello())

    def send(self, head: dict[str, Any], payload: bytes = b"") -> None:
        """As all have it."""
        self._stdio.write(write_frame(head, payload))

    def dataReceived(self, data: bytes) -> None:
        """Read on. What is no frame is no driver's, and ends this."""
        try:
            frames = self._reader.feed(data)
        except ValueError:
            self._stdio.loseConnection()
            return
        for frame in frames:
            pong = answer_ping(frame)
            if pong is not None:
                self.send(pong)
            elif self.listener is not None:
                self.listener.frame_received(frame)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The driver has closed its end, or the worker has ended."""
        if not self._is_gone:
            self._is_gone = True
            if self.listener is not None:
                self.listener.driver_gone()

    # As what fills stdout.

    def pauseProducing(self) -> None:
        """Stdout is read more slowly than it is written."""
        self.is_full = True

    def resumeProducing(self) -> None:
        """It has been read."""
        self.is_full = False
        if self.listener is not None:
            self.listener.driver_ready()

    def stopProducing(self) -> None:
        """It is closed, of which `connectionLost` tells."""
