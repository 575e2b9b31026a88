"""Delays of responses: text in, seconds out. Pure.

    1.5   200ms   2s   1m               always the same
    1s,3s                               one of these, each as likely
    150ms:90,2s:10                      one of these, by weight
    uniform(100ms,300ms)                any between these
    normal(200ms,50ms)                  by mean and standard deviation
    lognormal(200ms,0.4)                by median and sigma, as networks are
    exponential(200ms)                  by mean

The last four take a last argument such as `max=2s`: a draw above it becomes it, as a
draw below 0 becomes 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from nbtwisted.duration import EXPECTED as A_DURATION
from nbtwisted.duration import parse_duration, print_duration
from nbtwisted.numeral import parse_decimal

__all__ = [
    "DEFAULT_MAX_DELAY",
    "NO_DELAY",
    "Delay",
    "check_longest",
    "parse_seconds",
]

DEFAULT_MAX_DELAY = 300.0
"""Seconds: the longest delay that a request may ask for by default."""

EXPECTED = "seconds such as 1.5, 200ms, 2s, or uniform(100ms,300ms)"

MOST_CHOICES = 100
"""Choices in one delay: more than anybody would write by hand."""

_CALL = re.compile(r"([a-z]+)\(([^()]*)\)")


@dataclass(frozen=True)
class _Shape:
    """A distribution: an example, readers of its arguments, and the draw."""

    example: str
    readers: tuple[Callable[[str], float], ...]
    sample: Callable[..., float]


_SHAPES = {
    "uniform": _Shape(
        "uniform(100ms,300ms)", (parse_duration, parse_duration), Random.uniform
    ),
    "normal": _Shape(
        "normal(200ms,50ms)", (parse_duration, parse_duration), Random.gauss
    ),
    "lognormal": _Shape(
        "lognormal(200ms,0.4)",
        (parse_duration, parse_decimal),
        # Where exp() would overflow, the draw is far above any `longest`.
        lambda random, median, sigma: (
            median * math.exp(min(random.gauss(0.0, sigma), 700.0))
        ),
    ),
    "exponential": _Shape(
        "exponential(200ms)",
        (parse_duration,),
        # By the inverse of its distribution function; 1 - random() is never 0.
        lambda random, mean: -mean * math.log(1.0 - random.random()),
    ),
}


@dataclass(frozen=True)
class Delay:
    """A wait that is drawn anew for each request.

    choices     seconds to choose from
    weights     of these; none if all are alike
    shape       the name of a distribution, in place of choices
    arguments   of the distribution
    longest     seconds: the most that a distribution gives
    """

    choices: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    shape: str = ""
    arguments: tuple[float, ...] = ()
    longest: float = math.inf

    @classmethod
    def parse(cls, text: str, *, longest: float) -> Delay:
        """Read a delay of at most `longest` seconds; raises `ValueError`.

        A distribution is held to `longest` even if it has no `max=`.
        """
        if call := _CALL.fullmatch(text):
            return _parse_distribution(call[1], call[2].split(","), longest)
        return _parse_choices(text.split(","), longest)

    def draw(self, random: Random) -> float:
        """Seconds for one request to wait."""
        if len(self.choices) == 1:
            return self.choices[0]
        if self.choices:
            return random.choices(self.choices, self.weights or None)[0]
        drawn = _SHAPES[self.shape].sample(random, *self.arguments)
        return min(max(drawn, 0.0), self.longest)

    @property
    def is_fixed(self) -> bool:
        """Whether it needs no random number."""
        return len(self.choices) == 1


NO_DELAY = Delay((0.0,))


def _parse_choices(parts: Sequence[str], longest: float) -> Delay:
    if len(parts) > MOST_CHOICES:
        raise ValueError(f"at most {MOST_CHOICES} choices")
    weighted = [part.partition(":") for part in parts]
    try:
        choices = tuple(parse_duration(seconds) for seconds, _, _ in weighted)
        weights = tuple(parse_decimal(weight) for _, colon, weight in weighted if colon)
    except ValueError:
        raise ValueError(EXPECTED) from None
    if weights and (len(weights) != len(choices) or not 0 < sum(weights) < math.inf):
        raise ValueError("a weight above 0 for each choice, as in 150ms:90,2s:10")
    check_longest(max(choices), longest)
    return Delay(choices, weights)


def _parse_distribution(name: str, parts: list[str], longest: float) -> Delay:
    shape = _SHAPES.get(name)
    if shape is None:
        raise ValueError(
            "one of " + ", ".join(shape.example for shape in _SHAPES.values())
        )
    cap = longest
    try:
        if parts[-1].startswith("max="):
            cap = parse_duration(parts.pop().removeprefix("max="))
        arguments = tuple(
            read(part) for read, part in zip(shape.readers, parts, strict=True)
        )
    except ValueError:
        example = shape.example.removesuffix(")")
        raise ValueError(f"{example}) or {example},max=2s)") from None
    if name == "uniform" and arguments[0] > arguments[1]:
        raise ValueError(f"the smaller bound first, as in {shape.example}")
    # Both arguments of uniform are waits; of the others, the first is.
    asked = arguments[: 2 if name == "uniform" else 1]
    check_longest(max(*asked, 0.0 if cap == longest else cap), longest)
    return Delay(shape=name, arguments=arguments, longest=cap)


def parse_seconds(text: str, *, longest: float) -> float:
    """Read a duration of at most `longest` seconds; raises `ValueError`."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        raise ValueError(A_DURATION) from None
    check_longest(seconds, longest)
    return seconds


def check_longest(asked: float, longest: float) -> None:
    """Raise `ValueError` for more than `longest` seconds."""
    if asked > longest:
        raise ValueError(
            f"at most {print_duration(longest)} seconds, this server's --max-delay"
        )
