"""The live page of a proxy: what the upstream took, and what was added to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, Shoot, look_from_all_sides
from tests.browser.scene import rows, says, watched
from tests.proxy.running import RunningProxy
from tests.server.running import RunningServer


@pytest.fixture
def upstream() -> Iterator[RunningServer]:
    with RunningServer() as server:
        yield server


def test_an_upstream_has_a_stroke_of_its_own(
    upstream: RunningServer, open_page: OpenPage, shoot: Shoot
) -> None:
    with RunningProxy(f"http://127.0.0.1:{upstream.port}", "--port", "0") as proxy:
        page = watched(proxy, open_page)
        title = page.get_by_role("heading", level=1)
        expect(title).to_contain_text(f"the proxy before {upstream.url.rstrip('/')}")
        key = page.get_by_role("list", name="What the bars mean")
        expect(key.get_by_text("at the upstream")).to_be_visible()
        clients = []
        for target, fields in [
            ("/delay/1500ms", "X-Nbtwisted-Delay: 1s\r\n"),
            ("/delay/30s", ""),
            ("/get?_fault=reset&_delay=500ms", ""),
            ("/delay/2s", "X-Nbtwisted-Ask-Delay: 1s\r\nX-Nbtwisted-Delay: 9s\r\n"),
        ]:
            client = proxy.connect()
            head = f"GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"
            client.sendall(head.encode())
            clients.append(client)
        waits, failed = rows(page, "1500ms"), rows(page, "reset")
        expect(rows(page, "30s").locator(".state")).to_contain_text("at upstream")
        expect(failed.locator(".state")).to_have_text("upstream: 502")
        failed.locator("button").hover()
        says(page, "#facts", "error on the upstream's side")
        expect(waits.locator(".state")).to_have_text("200")
        says(page, "#summary", "1 at the upstream")
        # Both at once, for they move.
        begins, share = waits.evaluate(
            """(row) => {
                const [theirs, all] = [".theirs", ".bar-of-one"]
                    .map((part) => row.querySelector(part).getBoundingClientRect());
                return [(theirs.left - all.left) / all.width, theirs.width / all.width];
            }"""
        )
        # Of two and a half seconds, or more, the first one and a half.
        journal = proxy.operators("GET", "/__admin/requests")["requests"]
        entry = next(each for each in journal if "1500ms" in each["target"])
        whole = entry["upstream"] + entry["held"]
        assert begins < 0.2
        assert share == pytest.approx(entry["upstream"] / whole, abs=0.02)
        waits.locator("button").hover()
        says(page, "#facts", "upstream took")
        # It has answered, and what was asked of us is left.
        expect(rows(page, "/delay/2s").locator(".state")).to_contain_text("due in")
        look_from_all_sides(page, shoot, "proxy")
        for client in clients:
            client.close()
