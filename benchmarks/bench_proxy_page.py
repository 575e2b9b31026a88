"""What the page of `benchmarks.bench` shows of proxies."""

from __future__ import annotations

from benchmarks.bench_figures import COST, RATE, Figure, Section, Target

__all__ = [
    "BEFORE_ASKING",
    "BEFORE_SENDING",
    "BY_UPSTREAM",
    "HELD_AT_ONCE",
    "HTTP",
    "LATENCY_SECONDS",
    "MITMPROXY",
    "NGINX",
    "NGINX_STREAM",
    "NO_PROXY",
    "PROXY_NOTES",
    "PROXY_REQUESTS",
    "PROXY_SECTIONS",
    "PROXY_TARGETS",
    "TCP",
    "TOXIPROXY",
]

HTTP = "nbtwisted proxy"
TCP = "nbtwisted proxy, TCP mode"
NGINX = "nginx proxy_pass"
NGINX_STREAM = "nginx stream"
MITMPROXY = "mitmproxy"
TOXIPROXY = "Toxiproxy"
NO_PROXY = "no proxy between"
BY_UPSTREAM = f"{HTTP}, held by the upstream"
BEFORE_ASKING = f"{HTTP}, `ask_delay`: the upstream is not asked yet"
BEFORE_SENDING = f"{HTTP}, `delay`: the upstream has answered"

HELD_AT_ONCE = 5_000
LATENCY_SECONDS = 10
"""How long each is asked 100 times a second."""

MEGABYTES = Figure("mbps", "MB a second", "{:,.0f}")

PROXY_REQUESTS = {
    "proxy-small": "1 kB",
    "proxy-large": "1 MB",
    "proxy-tcp-small": "1 kB",
    "proxy-tcp-large": "1 MB",
}

PROXY_SECTIONS = (
    Section(
        "Proxies",
        "A reverse proxy before nginx, with nothing added. One core for the proxy, the "
        "other for nginx behind it and for wrk, over 50 connections; all are kept "
        "alive, on both sides. No request comes twice. CPU time is user and system "
        "time of the proxy's processes.",
        ("proxy-small", "proxy-large"),
        (COST, RATE, MEGABYTES),
    ),
    Section(
        "Proxies of bytes",
        "The same with proxies that know nothing of HTTP: `nbtwisted proxy tcp://…` "
        "and its peers, without a delay or a fault.",
        ("proxy-tcp-small", "proxy-tcp-large"),
        (COST, RATE, MEGABYTES),
    ),
    Section(
        "Latency that a proxy adds",
        "1 kB answers, 100 requests a second by `nbtwisted load -q 100` (an open loop: "
        "from the moment when each was due) for "
        f"{LATENCY_SECONDS} s. *Added* is over the same to nginx itself, asked at "
        "the same time.",
        ("proxy-latency",),
        (
            Figure("p50", "ms, p50", "{:.2f}", less_is_better=True),
            Figure("p99", "ms, p99", "{:.2f}", less_is_better=True),
            Figure("added50", "ms added, p50", "{:.2f}", less_is_better=True),
            Figure("added99", "ms added, p99", "{:.2f}", less_is_better=True),
        ),
    ),
    Section(
        f"{HELD_AT_ONCE:,} held through a proxy, at once",
        "One connection each to the proxy, and one each to the upstream, which is "
        "`nbtwisted serve`, but where it has not been asked yet. Wall time past the "
        "time for which they are held, how late the latest hundredth of the responses "
        "was, and the memory that the proxy took for each.",
        ("proxy-held",),
        (
            Figure("past", "seconds past", "{:.2f}", less_is_better=True),
            Figure("p99", "late, p99 (s)", "{:.3f}", less_is_better=True),
            Figure("kb", "KB each", "{:.1f}", less_is_better=True),
        ),
    ),
)

PROXY_TARGETS = (
    Target("proxy-small", "us", HTTP, MITMPROXY, 10.0, None),
    Target("proxy-small", "us", HTTP, NGINX, 0.25, 0.5),
    Target("proxy-large", "mbps", HTTP, NGINX, 0.5, 0.8),
    Target("proxy-latency", "added99", HTTP, "", 1.0, NGINX),
    *(
        Target("proxy-held", "kb", name, "", 10.0, NGINX)
        for name in (BY_UPSTREAM, BEFORE_SENDING, BEFORE_ASKING)
    ),
)

PROXY_NOTES = """\
- `nbtwisted proxy` has its defaults: journal, caps, deadlines, draws, `Via` and
  `Server-Timing` are on. nginx keeps 64 idle connections to its upstream and writes no
  answer to its disk; mitmproxy is `mitmdump --mode reverse:` without an add-on, which
  passes bodies on as they come (`stream_large_bodies`). Each proxy's first answer is
  compared with the others'.
"""
