"""The live page of a proxy for any protocol: its links are lanes of bytes."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, Shoot, look_from_all_sides
from tests.browser.scene import says, watched
from tests.proxy.running import Echo, RunningProxy


def talk(sizes: dict[socket.socket, int]) -> None:
    """Send so many bytes to an echo, from each client, and wait until they are back."""
    for client, size in sizes.items():
        client.sendall(b"x" * size)
    for client, size in sizes.items():
        while size:
            size -= len(client.recv(size))


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


def test_links_are_lanes_of_bytes(
    echo: Echo, open_page: OpenPage, shoot: Shoot
) -> None:
    rule = "_delay=50ms&_fault=reset&_after=200kB"
    with RunningProxy(echo.url, "--port", "0", "--default", rule) as proxy:
        page = watched(proxy, open_page)
        expect(page.get_by_role("heading", level=1)).to_contain_text(echo.url)
        says(page, "#links-sample", "No link is open.")
        clients = [proxy.connect() for _ in range(3)]
        first, second, _ = clients
        lanes = page.locator("#links li")
        expect(lanes).to_have_count(3)
        says(page, "#links-sample", "All 3 open links are shown.")
        for turn in range(20):
            # Each twice as much as the one before it.
            talk({it: 50 << at + turn % 5 for at, it in enumerate(clients)})
        talk({first: 2000, second: 60_000})
        # The newest is on top.
        expect(lanes.first).to_contain_text("#3")
        expect(lanes.nth(1).locator(".totals")).to_have_text("↑ 72 kB ↓ 72 kB")
        expect(lanes.last.locator(".totals")).to_have_text("↑ 8.2 kB ↓ 8.2 kB")
        for direction in ("up", "down"):
            drawn = lanes.last.locator(f"path.{direction}").get_attribute("d") or ""
            assert drawn.count("M") > 2, direction
        expect(page.locator(".rule .acted:visible")).to_have_text("3 links")
        says(page, "#links-bytes", "↑ 105 kB ↓ 105 kB")
        first.close()
        expect(lanes.last.locator(".state")).to_have_text("client closed")
        clients.append(proxy.connect())
        clients[-1].sendall(b"x" * 500_000)
        expect(lanes.first.locator(".state")).to_have_text("reset here")
        says(page, "#links-broken", "1")
        # By keys, from the newest on.
        expect(page.locator("#links button[tabindex='0']")).to_have_count(1)
        page.locator("#links button[tabindex='0']").focus()
        page.keyboard.press("End")
        says(page, "#facts", "client closed")
        page.keyboard.press("Home")
        says(page, "#facts", "reset here")
        says(page, "#facts", "acting on the way to the client")
        look_from_all_sides(page, shoot, "links")
        page.get_by_role("button", name="Reset…").click()
        says(page, "#ask-text", "2 links are open.")
        page.get_by_role("button", name="Reset", exact=True).click()
        says(page, "#said", "Reset: 2 links were ended.")
        for client in clients:
            client.close()


def test_a_proxy_may_have_requests_and_links(open_page: OpenPage) -> None:
    upstream = "http://127.0.0.1:9"
    api = ("--toxiproxy-api", "tcp:0")
    with RunningProxy(upstream, "--port", "0", *api) as proxy:
        page = watched(proxy, open_page)
        expect(page.locator("#rows")).to_be_attached()
        expect(page.get_by_role("heading", name="One by one")).to_be_visible()
        expect(page.get_by_role("heading", name="Links")).to_be_visible()
        says(page, "#links-sample", "No link is open.")
        says(page, "#sample", "None in flight.")
        # Both have a grid.
        grids = page.locator(".grid .track")
        assert [grids.nth(at).locator(".now").count() for at in (0, 1)] == [1, 1]
