"""Spans for tests of pictures."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nbtwisted.timeline import Attempt, Phase, Span
from nbtwisted.timeline.span import MARKS, PHASES, MarkName


def attempt(
    outcome: str = "200",
    *,
    ended_by: MarkName | None = None,
    message: str = "",
    url: str = "http://h/",
    held_by_server: float | None = None,
    **phases: float,
) -> Attempt:
    return Attempt(
        url=url,
        phases=tuple(Phase(name, phases[name]) for name in PHASES if name in phases),
        outcome=outcome,
        message=message,
        ended_by=ended_by,
        held=held_by_server,
    )


def span(
    number: int,
    label: str,
    began: float,
    *,
    failed: bool = False,
    outcome: str = "200",
    **phases: float,
) -> Span:
    """A request of one attempt."""
    ended_by: MarkName | None = "error" if failed else None
    only = attempt(outcome, ended_by=ended_by, url=label, message="", **phases)
    return Span(number, label, began, (only,))


# As the client has them: what would act on a screen is escaped.
_TEXT = st.characters(
    exclude_categories=("C", "Z"), include_characters=" ", codec="utf-8"
)

# A number of seconds of which a million could still be added up.
_SECONDS = st.floats(0, 1e5)

_ATTEMPTS = st.builds(
    lambda phases, **rest: attempt(**{**rest, **phases}),
    phases=st.dictionaries(st.sampled_from(list(PHASES)), _SECONDS),
    outcome=st.sampled_from(
        ["", "200", "503", "first byte", "interrupted", "deadline!"]
    ),
    ended_by=st.none() | st.sampled_from(list(MARKS)),
    message=st.text(_TEXT, max_size=20),
    url=st.text(_TEXT, max_size=40),
    held_by_server=st.none() | _SECONDS,
)


def any_spans(most: int) -> Any:
    """Lists of spans with any text and any times, in the order of their numbers."""
    each = st.tuples(
        st.text(_TEXT, max_size=60),
        _SECONDS,
        st.lists(_ATTEMPTS, min_size=1, max_size=4),
    )
    return st.lists(each, min_size=1, max_size=most).map(
        lambda made: [
            Span(number, label, began, tuple(attempts))
            for number, (label, began, attempts) in enumerate(made, 1)
        ]
    )
