"""The proxies of `benchmarks.bench`: ours and their peers, before the same nginx.

The proxy has a core, and all else the other: the upstream, and the program that asks.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.bench_figures import Figures, Table
from benchmarks.bench_page import OURS
from benchmarks.bench_programs import BIN, PEERS, Server, run, running
from benchmarks.bench_proxy_page import (
    BEFORE_ASKING,
    BEFORE_SENDING,
    BY_UPSTREAM,
    HELD_AT_ONCE,
    HTTP,
    LATENCY_SECONDS,
    MITMPROXY,
    NGINX,
    NGINX_STREAM,
    NO_PROXY,
    TCP,
    TOXIPROXY,
)
from benchmarks.bench_serving import Work, held, loading
from benchmarks.free_port import free_port

__all__ = ["MITMDUMP", "PROXY_GROUPS", "PROXY_NAMES", "proxied", "proxies"]

MITMDUMP = BIN.parent / "mitmproxy" / "bin" / "mitmdump"

SMALL = Work("/small")
LARGE = Work("/large")
SIZES = {SMALL: 1024, LARGE: 2**20}
"""Bytes of a body."""
WORK = {
    "proxy-small": SMALL,
    "proxy-large": LARGE,
    "proxy-tcp-small": SMALL,
    "proxy-tcp-large": LARGE,
}
_OF_HTTP = (HTTP, NGINX, MITMPROXY)
_OF_TCP = (TCP, NGINX_STREAM, TOXIPROXY)
PROXY_NAMES: Mapping[str, Sequence[str]] = {
    "proxy-small": _OF_HTTP,
    "proxy-large": _OF_HTTP,
    "proxy-tcp-small": _OF_TCP,
    "proxy-tcp-large": _OF_TCP,
    "proxy-latency": (NO_PROXY, *_OF_HTTP, *_OF_TCP),
    "proxy-held": (BY_UPSTREAM, BEFORE_SENDING, BEFORE_ASKING, NGINX),
}
"""What is compared, by group; what adds nothing comes first."""
PROXY_GROUPS = tuple(PROXY_NAMES)

HOLD_SECONDS = 10.0
"""Longer than it takes until all of them are there."""


def upstream_of(group: str, place: Path, port: int) -> Server:
    """The server that the proxies of a group stand before."""
    if group == "proxy-held":
        listen = f"tcp:{port}:interface=127.0.0.1:backlog=8192"
        command = (str(BIN / "python"), "-m", "nbtwisted.server", "--listen", listen)
        return Server("the upstream", command)
    (place / "large").write_bytes(b"." * SIZES[LARGE])
    # A worker of nginx may be another user than who started it.
    place.chmod(0o755)
    path = _configured(place, "proxied.conf", port, 0)
    path.write_text(path.read_text().replace("KILOBYTE", "." * SIZES[SMALL]))
    return Server("the upstream", ("nginx", "-c", str(path)))


def proxies(place: Path, port: int, upstream: int) -> dict[str, Server]:
    """All that are compared, by name."""
    authority = f"127.0.0.1:{upstream}"
    listen = ("--listen", f"tcp:{port}:interface=127.0.0.1:backlog=8192")
    ours = (str(BIN / OURS), "proxy", *listen)
    http = (*ours, f"http://{authority}")
    toxiproxy = place / "toxiproxy.json"
    named = {"name": "p", "listen": f"127.0.0.1:{port}", "upstream": authority}
    toxiproxy.write_text(json.dumps([{**named, "enabled": True}]))
    hold = f"{HOLD_SECONDS:g}"
    commands = {
        **dict.fromkeys((HTTP, BY_UPSTREAM), http),
        BEFORE_SENDING: (*http, "--default", f"_delay={hold}"),
        BEFORE_ASKING: (*http, "--default", f"_ask_delay={hold}"),
        TCP: (*ours, f"tcp://{authority}"),
        NGINX: _nginx(place, "proxy_pass.conf", port, upstream),
        NGINX_STREAM: _nginx(place, "stream.conf", port, upstream),
        MITMPROXY: (
            *(str(MITMDUMP), "--quiet", "--set", f"confdir={place}/mitmproxy"),
            *("--mode", f"reverse:http://{authority}", "--listen-host", "127.0.0.1"),
            *("--listen-port", str(port), "--set", "stream_large_bodies=64k"),
        ),
        TOXIPROXY: ("toxiproxy-server", "-port", "0", "-config", str(toxiproxy)),
    }
    return {name: Server(name, command) for name, command in commands.items()}


def proxied(
    table: Table,
    groups: Collection[str],
    seconds: float,
    place: Path,
    port: int,
    with_peers: bool = True,
) -> None:
    """Measure all proxies of some groups once, before an upstream of each group."""
    bodies: dict[Work, bytes] = {}
    for group, names in PROXY_NAMES.items():
        if group not in groups:
            continue
        upstream = free_port()
        found = proxies(place, port, upstream)
        try:
            with running(upstream_of(group, place, upstream), upstream, (1,)):
                for name in names:
                    is_peer = not name.startswith((OURS, NO_PROXY))
                    if is_peer and not with_peers:
                        continue
                    if group == "proxy-held":
                        table.measure(group, name, _holding, found[name], port)
                    elif group == "proxy-latency":
                        table.measure(
                            *(group, name, _latency),
                            *(found.get(name), port, upstream),
                        )
                    else:
                        work = WORK[group]
                        table.measure(
                            *(group, name, _loading, found[name]),
                            *(port, seconds, work, bodies),
                        )
        except OSError as error:
            print(f"the upstream of the proxies: {error}", flush=True)


def _loading(
    server: Server, port: int, seconds: float, work: Work, bodies: dict[Work, bytes]
) -> Figures:
    _make_sure_it_is_there(server)
    with running(server, port) as process:
        figures = loading(process, port, seconds, work, bodies)
    return {**figures, "mbps": figures["rps"] * SIZES[work] / 1e6}


def _holding(server: Server, port: int) -> Figures:
    _make_sure_it_is_there(server)
    # Where the proxy holds all, the upstream holds none.
    above = 0 if server.name in (BEFORE_SENDING, BEFORE_ASKING) else HOLD_SECONDS
    with running(server, port) as process:
        target = f"/?_delay={above:g}"
        return held(process, port, target, HELD_AT_ONCE, HOLD_SECONDS)


def _latency(server: Server | None, port: int, upstream: int) -> Figures:
    """Milliseconds; without a server it is the upstream alone that is asked.

    With one, the upstream is asked at the same time: what else the machine does is the
    same for both.
    """
    if server is None:
        return {**_latency_at(upstream), "added50": 0.0, "added99": 0.0}
    _make_sure_it_is_there(server)
    with running(server, port), ThreadPoolExecutor(2) as threads:
        through, direct = threads.map(_latency_at, (port, upstream))
    return {
        **through,
        "added50": through["p50"] - direct["p50"],
        "added99": through["p99"] - direct["p99"],
    }


def _latency_at(port: int) -> Figures:
    done = run(
        [
            *(str(BIN / OURS), "load", "-q", "100", "-z", str(LATENCY_SECONDS)),
            *("--warmup", "1s", "--json", "-", f"http://127.0.0.1:{port}{SMALL.path}"),
        ]
    )
    found = json.loads(done.printed)
    if found["failed"] or found["answered"] != found["statuses"].get("200"):
        raise ValueError(f"{found['failed']} failed: {found['statuses']}")
    return {key: 1000 * found["latency"][key] for key in ("p50", "p99")}


def _nginx(place: Path, name: str, port: int, upstream: int) -> tuple[str, ...]:
    return ("nginx", "-c", str(_configured(place, name, port, upstream)))


def _configured(place: Path, name: str, port: int, upstream: int) -> Path:
    text = (PEERS / name).read_text().replace("PLACE", str(place))
    text = text.replace("UPSTREAM", str(upstream)).replace("PORT", str(port))
    path = place / name
    path.write_text(text)
    return path


def _make_sure_it_is_there(server: Server) -> None:
    """Raises `OSError` if the program of a server is not installed."""
    if shutil.which(server.command[0]) is None:
        raise OSError(f"{Path(server.command[0]).name} is not installed")
