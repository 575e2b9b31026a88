"""A HAR as rules: `--har FILE`."""

from __future__ import annotations

from collections.abc import Sequence

from nbtwisted.json_items import UnreadableItems, json_items
from nbtwisted.server.recordings.recording import Recording, UnplayableRecording
from nbtwisted.server.rules.reading import Reading, no_file, parse_rules
from nbtwisted.server.rules.rule import Rule

__all__ = ["UnreadableHAR", "read_har"]

EXPECTED = "a HAR such as nbtwisted get --har writes, or a browser"


class UnreadableHAR(ValueError):
    """A file is no HAR, or none that can be played; its text says why."""


def read_har(
    path: str, *, with_times: bool, max_delay: float
) -> tuple[Sequence[Rule], Sequence[str]]:
    """The rules that play the HAR at `path`, and remarks about what they cannot play.

    `with_times` has them take the time that was recorded. In memory there are the
    bodies, and an entry at a time. Raises `UnreadableHAR`, and `OSError`.
    """
    recording = Recording(with_times=with_times, max_delay=max_delay)
    try:
        with open(path, "rb") as file:
            for entry in json_items(file, "log", "entries"):
                recording.add(entry)
    except UnreadableItems as error:
        raise UnreadableHAR(f"{error} (expected {EXPECTED})") from None
    except UnplayableRecording as error:
        raise UnreadableHAR(str(error)) from None
    try:
        rules = parse_rules(list(recording.rules()), Reading(max_delay, no_file))
    except UnplayableRecording as error:
        raise UnreadableHAR(str(error)) from None
    return rules, list(recording.remarks())
