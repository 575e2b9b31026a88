"""Recording: what passes between the proxy and its upstream, as an HTTP Archive.

    HTTP mode tells a `RecordedExchange` (exchange.py) what passes, in the reactor
     → `Passed` (entry.py)    a value, when the exchange is over
     → `EntryWriter`          a thread (writer.py), which makes an entry of it
     → JSONListFile           valid after each entry

`Memory` (memory.py) bounds what all of them hold. Whatever does not fit is cut or
counted as lost: nothing that passes waits for the recording.
"""
