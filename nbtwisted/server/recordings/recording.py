"""A recorded run as rules: the answers to each request, in their order. Pure.

Requests are told apart by their method and their target. The host is not looked at: it
is that of the server which was recorded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from nbtwisted.printable import printable_ends
from nbtwisted.server.recordings.entry import TIMES, Recorded, read_entry
from nbtwisted.server.recordings.response import BODIES, COOKIES, CUT, FIELDS, LeftOut
from nbtwisted.server.rules.reading import LONGEST_RULE_NAME, MOST_STEPS
from nbtwisted.server.rules.rule_set import MOST_RULES

__all__ = ["Recording", "UnplayableRecording"]

_REMARKS = {
    BODIES: "a body is not in it ({}), and as many * are sent: nbtwisted get --har "
    "keeps bodies of up to 1 MiB of last attempts, and compressed ones only with "
    "--compressed; browsers keep those that they have at hand",
    CUT: "of a body there is only the beginning in it ({}), and * are sent for the "
    "rest: nbtwisted proxy keeps more with --record-bodies",
    COOKIES: "a value of Set-Cookie is not in it ({}): a browser's HAR with sensitive "
    "data has it",
    FIELDS: "a header field cannot be sent ({}), and is left out",
    TIMES: "a time is not in it ({}), and nothing waits there",
}

_TIMES = frozenset(("delay", "drip"))

_WHOLE_URL = re.compile(r"(?:https?:)?//(?:[^/?#\\@]*@)?([^/?#\\@]*)(.*)", re.I | re.S)


class UnplayableRecording(ValueError):
    """No rules can be made of a recording; its text says why."""


class Recording:
    """Takes the entries of an HTTP Archive, and makes rules of them.

    `with_times` has the rules wait and drip as long as was recorded, which is at most
    `max_delay` seconds.
    """

    def __init__(self, *, with_times: bool, max_delay: float) -> None:
        self._with_times = with_times
        self._max_delay = max_delay
        self._number = 0
        self._answers: dict[tuple[str, str], list[tuple[float, Recorded]]] = {}
        self._latest = 0.0
        self._left_out: Counter[str] = Counter()
        self._lacks: Counter[str] = Counter()

    def add(self, entry: object) -> None:
        """Take the next entry, which may be anything.

        Raises `UnplayableRecording` where there are too many, or one takes too long.
        """
        self._number += 1
        try:
            recorded = read_entry(entry, with_times=self._with_times)
        except LeftOut as why:
            self._left_out[str(why)] += 1
            return
        asked = f"{recorded.method} {recorded.target}"
        if recorded.seconds > self._max_delay:
            raise UnplayableRecording(
                f"entry {self._number} ({_shown(asked)}) takes {recorded.seconds:g} s: "
                f"expected at most {self._max_delay:g}, this server's --max-delay"
            )
        answers = self._answers.setdefault(recorded[:2], [])
        if len(self._answers) > MOST_RULES:
            raise UnplayableRecording(f"expected at most {MOST_RULES:,} URLs")
        if len(answers) == MOST_STEPS:
            raise UnplayableRecording(
                f"expected at most {MOST_STEPS:,} answers of {_shown(asked)}"
            )
        # One that has no date is as late as the one before.
        self._latest = self._latest if recorded.sent is None else recorded.sent
        answers.append((self._latest, recorded))
        self._lacks.update(recorded.lacks)

    def rules(self) -> Iterator[dict[str, Any]]:
        """The rules, as a file of rules would have them.

        Raises `UnplayableRecording` if there is none.
        """
        if not self._answers:
            raise UnplayableRecording(
                f"there is no answer in it: {self._all_left_out()}"
                if self._left_out
                else "there is no entry in it"
            )
        hosts = {r.host for answers in self._answers.values() for _, r in answers}
        # A rule for GET is for HEAD as well, unless one before it is.
        in_order = sorted(self._answers, key=lambda asked: asked[0] != "HEAD")
        for number, (method, target) in enumerate(in_order, 1):
            answers = sorted(self._answers[method, target], key=lambda pair: pair[0])
            steps = [_step(recorded, hosts) for _, recorded in answers]
            yield {
                "name": _shown(f"har {number}: {method} {target}"),
                "match": {"method": method, "target": target},
                # What is asked for in the URL was asked for when it was recorded.
                "strict": True,
                "literal": True,
                **_in_turn(steps),
            }

    def remarks(self) -> Iterator[str]:
        """Sentences about what was left out, is not there, or is not as it was."""
        if self._left_out:
            left_out = sum(self._left_out.values())
            yield (
                f"{left_out:,} of {self._number:,} entries are left out: "
                + self._all_left_out()
            )
        for what, times in self._lacks.items():
            yield _REMARKS[what].format(f"{times:,}")
        shared = sum(
            len({recorded.host for _, recorded in answers}) > 1
            for answers in self._answers.values()
        )
        if shared:
            yield (
                f"a path was asked of several hosts ({shared:,}), whose answers come "
                "in the order of their times: hosts are not told apart"
            )

    def _all_left_out(self) -> str:
        return ", ".join(
            f"{why} ({times:,})" for why, times in self._left_out.most_common()
        )


def _step(recorded: Recorded, hosts: set[str]) -> dict[str, Any]:
    """The answer as a step of a rule."""
    lines = [
        f"{name}: {_at_home(value, hosts) if name.lower() == 'location' else value}"
        for name, value in recorded.headers
    ]
    return {**recorded.controls, **({"header": lines} if lines else {})}


def _in_turn(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of a rule that gives these answers, one after another."""
    while len(steps) > 1 and steps[-1] == steps[-2]:
        steps.pop()
    first, *others = steps
    if not others:
        return first
    same = {name: value for name, value in first.items() if name not in _TIMES}
    if any(same != {n: v for n, v in o.items() if n not in _TIMES} for o in others):
        return {"steps": steps}
    times = [{n: v for n, v in step.items() if n in _TIMES} for step in steps]
    return {**same, "steps": times}


def _at_home(location: str, hosts: set[str]) -> str:
    """A redirect's place: without its host if that was recorded, too."""
    whole = _WHOLE_URL.fullmatch(location)
    if whole is None or whole[1].lower() not in hosts:
        return location
    return whole[2] if whole[2].startswith("/") else f"/{whole[2]}"


def _shown(text: str) -> str:
    return printable_ends(text, longest=LONGEST_RULE_NAME)
