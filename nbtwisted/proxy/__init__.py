"""A real server, made slow or broken: the faults of our own, in front of an upstream.

    nbtwisted proxy http://127.0.0.1:8000
    nbtwisted proxy tcp://127.0.0.1:5432

    options → a service of one of two kinds, with the rules, log and drain of `serve`

    http        requests that the server's exchange has answered by the client's
                connections; rules, draws and journal are the server's own
    stream      links of any protocol, whose bytes pass through stages
    toxiproxy   Toxiproxy's API, whose proxies are streams
    recording   what passed in HTTP mode, as a HAR

Operators have a port of their own, so that an upstream keeps its own `/__admin`.
"""
