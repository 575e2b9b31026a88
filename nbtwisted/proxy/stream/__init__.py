"""TCP mode: a port in front of one upstream, for any protocol.

    a client connects → `StreamProxy` (listener.py) gives it a `Link` (link.py), which
    opens the upstream (upstream.py) → each direction's bytes pass through a `Pipeline`
    (pipeline.py), made of the stages (stage.py) that are drawn for this link

A pipeline is pure: it is told the time, takes bytes, and says which are due. The link
around it has the sockets and one timer for each direction, and stops reading from a
side while the other cannot take more.
"""
