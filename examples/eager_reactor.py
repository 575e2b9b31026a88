"""A Twisted program on the eager reactor, without a change to its code."""

from nbtwisted import reactor

reactor.install()  # before anything takes Twisted's own

from twisted.internet import reactor as installed  # noqa: E402, TID251

print(type(installed).__name__)
