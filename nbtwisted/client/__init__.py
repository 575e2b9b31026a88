"""Many raw GETs at once, each answer attributed, ordered, timed and bounded.

    from nbtwisted.client import get_all

    gathered = get_all(urls, reactor=reactor, max_time=5.0)

From a URL to its answer, which is also the order in which they import each other:

    answer      what came back, and how long each part of it took    pure
    errors      what can go wrong, by phase
    target      URL -> where to connect, and the request's bytes     pure
    parser      bytes -> one whole answer, with limits               pure
    protocol    one GET over one connection
    resolving   host names -> addresses
    connecting  addresses -> a connection, by reactor.connectTCP
    getting     one request, from leaving the queue to its end
    gathering   many, by a DeferredList
    output      how a request ended -> bytes                         pure
    command     `nbtwisted get`
"""

from nbtwisted.client.answer import Answer, Head, Timing
from nbtwisted.client.errors import RequestError
from nbtwisted.client.gathering import get_all
from nbtwisted.client.getting import get
from nbtwisted.client.parser import Limits

__all__ = ["Answer", "Head", "Limits", "RequestError", "Timing", "get", "get_all"]
