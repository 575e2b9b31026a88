"""How long an answer waits: text in, seconds out."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from nbtwisted.duration import EXPECTED, parse_duration, print_duration

__all__ = ["DEFAULT_MAX_DELAY", "NO_DELAY", "Delay", "UnreadableDelay"]

DEFAULT_MAX_DELAY = 300.0
"""Seconds: the longest delay that a request may ask for, unless the server is told."""


class UnreadableDelay(ValueError):
    """The text is not a delay; the message says what was expected instead."""


@dataclass(frozen=True)
class Delay:
    """A wait that is drawn anew for each request, each of `choices` as likely.

    `choices` are seconds: at least one, none of them negative.
    """

    choices: tuple[float, ...]

    @classmethod
    def parse(cls, text: str, *, longest: float) -> Delay:
        """Read one duration, or several with commas between to choose among.

        `longest` is the most seconds that any of them may ask for.

        Raises `UnreadableDelay`.
        """
        try:
            delay = cls(tuple(parse_duration(part) for part in text.split(",")))
        except ValueError:
            raise UnreadableDelay(f"{EXPECTED}, or a choice such as 1s,3s") from None
        if max(delay.choices) > longest:
            raise UnreadableDelay(
                f"at most {print_duration(longest)} seconds, this server's --max-delay"
            )
        return delay

    def draw(self, random: Random) -> float:
        """Seconds for one request to wait."""
        if len(self.choices) == 1:
            return self.choices[0]
        return random.choice(self.choices)


NO_DELAY = Delay((0.0,))
