"""A program that was written for Toxiproxy: it makes a proxy, and two toxics."""

import sys
import time
import urllib.request

from toxiproxy import Toxiproxy


def ask(place: str) -> str:
    """How a small answer comes from there, in words."""
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"http://{place}/uuid", timeout=10) as answer:
            answer.read()
    except OSError as error:
        return type(getattr(error, "reason", error)).__name__
    return "slowly" if time.monotonic() - began > 3 else "at once"


api, upstream = sys.argv[1:]
host, _, port = api.rpartition(":")
toxiproxy = Toxiproxy()
toxiproxy.update_api_consumer(host, int(port))

proxy = toxiproxy.create(name="api", upstream=upstream)
print("no toxic:  ", ask(proxy.listen))
proxy.add_toxic(type="latency", attributes={"latency": 3000, "jitter": 0})
print("latency:   ", ask(proxy.listen))
proxy.add_toxic(type="reset_peer", attributes={"timeout": 0})
print("reset_peer:", ask(proxy.listen))
toxiproxy.reset()
print("reset:     ", ask(proxy.listen))
proxy.destroy()
