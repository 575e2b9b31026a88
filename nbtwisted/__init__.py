"""Non-blocking I/O on Twisted: serve it, use it, measure it, and see it.

The whole system on one screen. A wait costs a timer and not a thread, so a server can
hold thousands of answers, and a client can wait for thousands, on one thread each:

    server/        a Klein app that gives any slow or broken answer that is asked for
    client/        many raw GETs at once, each answer attributed, ordered and timed
    load/          as many GETs as are answered, or as are due, and what each took
    reactor/       an epoll reactor that sends at once, and one that shows its time
    timeline/      spans in, a picture of the time out

    pytest_plugin  the server as a fixture

    duration       text <-> seconds
    steady_clock   what time it is, for measuring
    printable      what a stranger sent, made fit for a screen
    background_writer  lines, written by a thread: no reader holds up who writes
    memory         when the garbage collector does what
    json_list_file a JSON file with a long list in it, written while it comes
    trace_file     spans -> Trace Event JSON
    command_line   what the commands share
    __main__       the `nbtwisted` command

`server` and `client` never import each other, `load` stands on `client`, `timeline` and
`reactor` import nothing of the rest, and what is pure (no Twisted, no I/O) says so at
its top. `docs/architecture.md` has the reasons.
"""

__version__ = "0.1.0"
