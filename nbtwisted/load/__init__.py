"""The load program: as many requests as are answered, or so many a second.

All that is `Asked` for is read and `Prepared` before anything is sent. A long list
stays in memory, so little more is kept of a request than its first line; a worker puts
the bytes together when it has to send another than before.

A `Run` has `Worker`s, each with a connection, and gives a request to a free one when
its `Pace` says that one is due. In an open loop it knows that from a `Profile`, the
rate over time, and from `Arrivals`; so the parts of a plan that is divided are due as
the whole would be, and need not speak to each other. URLs, connecting, TLS and errors
are the client's. The connection is not, because a request costs 10 µs in all:

- Responses go through the client's reader, which counts their bodies and keeps nothing
  of them. A head that came before, byte for byte, is not parsed again.
- Figures are appended to an array, and put into the histogram some thousands at a time.
- One timer looks at all deadlines. How late it is says how late the client is.
- Figures are counted by label, once each. Totals are made of these when somebody asks.
- A `Series` is there if somebody is going to look at it. Its intervals end where the
  first response comes that belongs to the next: so those of all parts are the same.
- The page of `--plot` is drawn as SVG by hand: chart libraries draw on a canvas, which
  says nothing to a screen reader, on paper, or without script.

The command asks a `Runner` for its runs. On a cluster that is a `Fleet`, with a part on
each worker, and a `FleetRun` is divided over them; each tells its `Tally`, and all are
merged. What each did, and what was lost with it, is in `Workers`. With
`--find-rate` it makes many: a `Search` says at which rate, and takes what came of each
as a `Trial`. With `--compare`, `compare` has the intervals of two runs say whether a
change is more than noise.
"""
