"""Non-blocking I/O on Twisted: serve it, use it, measure it, and see it.

A wait costs a timer and not a thread, so a server can hold thousands of responses, and
a client can wait for thousands, on one thread each:

    server/        a Klein app that gives any slow or broken response on demand
    proxy/         the same done to the answers of a real server, or to any bytes
    client/        many raw requests at once, each answer attributed, ordered, timed
    load/          as many requests as are answered, or as are due, and what each took
    reactor/       reactors that send at once, and what shows the time of any
    timeline/      spans in, a picture of the time out
    pytest_plugin  the server as a fixture

`server` and `client` never import each other, `load` stands on `client` and `proxy` on
both, `timeline` and `reactor` import nothing of the rest, and a module that is pure (no
Twisted, no I/O) says so at its top: `make check` holds all of that.
`docs/architecture.md` has the road of a request, and the reasons.
"""

__version__ = "0.1.0"
