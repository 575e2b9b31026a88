"""What a recorder of exchanges with the upstream is told. Pure."""

from __future__ import annotations

from typing import Protocol

from nbtwisted.client.errors import RequestError
from nbtwisted.client.result import Head
from nbtwisted.server.model.request import Request

__all__ = ["Recorded", "Recorder"]


class Recorded(Protocol):
    """One exchange, told as it goes on.

    The calls come in the order of these methods, except that pieces of the request may
    still go out when the answer's head is here. `end` is the last, and nothing follows
    it. The recorder reads its own clock at each call. No call blocks or raises.
    """

    def asked(self) -> None:
        """The upstream is asked now: a connection is looked for.

        What ends without this was not asked, and is not recorded.
        """

    def request_piece(self, data: bytes) -> None:
        """Bytes of the request's body go to the upstream, without their framing."""

    def head(self, head: Head) -> None:
        """The head of the upstream's answer is here. Interim heads are not told.

        Nothing more is told of what follows a 101 but the end.
        """

    def piece(self, data: bytes) -> None:
        """Bytes of the answer's body, without their framing, coded as they came."""

    def end(self, error: RequestError | None) -> None:
        """The answer is whole, or the error says why it is not.

        `Interrupted` stands for a client that left, and for a proxy that stops.
        """


class Recorder(Protocol):
    """Whoever writes down what passes between us and the upstream."""

    def begin(self, request: Request, url: str) -> Recorded:
        """A request whose head is here, and the URL that the upstream is asked for.

        Its body is told by `request_piece`; `request.body` is not looked at.
        """
