"""Entries of HARs, as programs write them, for tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["ANYTHING", "entry", "failed"]

NAMES = [
    *("request", "response", "url", "method", "status", "headers", "name", "value"),
    *("content", "text", "encoding", "size", "timings", "wait", "receive", "_error"),
]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: (
        st.lists(values)
        | st.dictionaries(
            st.text() | st.sampled_from(NAMES),
            values
            | st.sampled_from(
                ["http://h/", "GET", 200, 0, "base64", "ConnectionLost", "a\nb"]
            ),
        )
    ),
    max_leaves=15,
)
"""JSON values, some of which look like parts of entries."""

URL = "http://api.test:8080/orders?page=1"


def entry(
    *headers: tuple[str, str],
    url: str = URL,
    method: str = "GET",
    status: int = 200,
    content: dict[str, Any] | None = None,
    timings: dict[str, Any] | None = None,
    started: str = "2026-11-27T06:00:00.000Z",
    **more: Any,
) -> dict[str, Any]:
    """An entry; `more` is put into its response."""
    text = {"size": 4, "mimeType": "text/plain", "text": "body"}
    return {
        "startedDateTime": started,
        "time": 150,
        "request": {"method": method, "url": url, "headers": []},
        "response": {
            "status": status,
            "headers": [{"name": name, "value": value} for name, value in headers],
            "content": text if content is None else content,
            **more,
        },
        "timings": {"wait": 100, "receive": 50} if timings is None else timings,
    }


def failed(error: str, **more: Any) -> dict[str, Any]:
    """An entry of a request that failed, as ours are; without a head unless told."""
    said = {"type": error, "phase": "somewhere", "message": "it broke"}
    content = {"size": 0, "mimeType": ""}
    return {**entry(**{"status": 0, "content": content, **more}), "_error": said}
