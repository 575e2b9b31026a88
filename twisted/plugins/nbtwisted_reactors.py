"""What `twistd --reactor=...` can be told besides Twisted's own."""

from twisted.application.reactors import Reactor

eager = Reactor(
    "eager",
    "nbtwisted.reactor.eager",
    "epoll, but what is written is sent in the same turn (nbtwisted)",
)

eager_asyncio = Reactor(
    "eager-asyncio",
    "nbtwisted.reactor.eager_asyncio",
    "asyncio, or uvloop, but what is written is sent in the same turn (nbtwisted)",
)

traced = Reactor(
    "traced",
    "nbtwisted.reactor.traced",
    "eager, and it says what its time goes into (nbtwisted)",
)

traced_asyncio = Reactor(
    "traced-asyncio",
    "nbtwisted.reactor.traced_asyncio",
    "eager-asyncio, and it says what its time goes into (nbtwisted)",
)
