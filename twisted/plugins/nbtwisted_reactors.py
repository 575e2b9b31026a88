"""What `twistd --reactor=...` can be told besides Twisted's own."""

from twisted.application.reactors import Reactor

eager = Reactor(
    "eager",
    "nbtwisted.reactor.eager",
    "epoll, but what is written is sent in the same turn (nbtwisted)",
)

traced = Reactor(
    "traced",
    "nbtwisted.reactor.traced",
    "the same, and it says what its time goes into (nbtwisted)",
)
