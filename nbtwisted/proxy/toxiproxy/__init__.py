"""The HTTP API of Toxiproxy 2.x, for whoever has programs that drive one.

    a request → `check_caller` (admission.py) refuses browsers and strangers
              → `Routes` (routes.py): Klein's app, with Toxiproxy's paths and texts
              → `Collection` (collection.py): the proxies, by their names
              → `NamedProxy` (named_proxy.py): a port, and its `Toxic`s (toxics.py)
              → `Placed` stages, which the stream of TCP mode carries out

`ToxiproxyAPI` (api.py) puts this together for a command:

    api = ToxiproxyAPI(reactor, seed=7, allow_remote=False)
    port = await listen(reactor, "tcp:8474:interface=127.0.0.1", api.site())
    ...
    await api.stop()   # closes the ports of all proxies; its own is the command's

`allow_remote` lets proxies listen where other machines can connect (`0.0.0.0:26379`),
and lets other machines, and containers, use the API.
"""
