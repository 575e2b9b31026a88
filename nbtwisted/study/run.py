"""One run of a program beside the delay server: what was observed. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

__all__ = ["Calls", "Ending", "Request", "Run", "Sample"]


@dataclass(frozen=True)
class Request:
    """A request as the server saw it. Times are seconds since the program began."""

    number: int
    """1 for the first that came."""
    came: float
    ended: float | None
    """None while it is in flight."""
    method: str
    target: str
    headers: Mapping[str, str]
    status: int | None
    """None if no status was sent."""
    outcome: str
    """The journal's word: `answered`, `broken`, `cancelled`, `in flight` and so on."""
    fault: str | None
    held: float | None
    """Seconds up to the first byte of the response."""
    sent: int
    """Bytes of the body."""

    @classmethod
    def of_journal(cls, entry: Mapping[str, Any], number: int, came: float) -> Request:
        """An entry of the server's journal, as JSON has it."""
        took: float | None = entry["took"]
        return cls(
            number=number,
            came=came,
            ended=None if took is None else came + took,
            method=entry["method"],
            target=entry["target"],
            headers=entry["headers"],
            status=entry["status"],
            outcome=entry["outcome"],
            fault=entry["fault"],
            held=entry["held"],
            sent=entry["sent"],
        )


@dataclass(frozen=True)
class Sample:
    """The program, and the processes that it started, at one instant."""

    at: float
    """Seconds since it began."""
    user: float
    system: float
    """Seconds of processor time until then."""
    memory: int
    """Bytes that are resident."""
    threads: int
    processes: int
    descriptors: int
    """Files and sockets that are open."""
    held_up: float = 0.0
    """Seconds in which it waited for a processor that others had: of several processes,
    the one that waited longest. 0 where the system does not tell."""


@dataclass(frozen=True)
class Calls:
    """How often a system call was made."""

    count: int
    errors: Mapping[str, int] | None = None
    """How often it failed, by the error's name: `EAGAIN`. None if nobody could see."""


@dataclass(frozen=True)
class Ending:
    """How a program ended."""

    exit_code: int | None
    """Negative for a signal, as subprocesses have it; None if it was killed."""
    seconds: float
    user: float
    system: float
    """Seconds of processor time, with those of the processes that it waited for."""
    memory: int
    """Bytes that were resident at the most in one process."""


@dataclass(frozen=True)
class Run:
    """What one run of a program was."""

    ending: Ending
    stdout: str
    stderr: str
    requests: Sequence[Request]
    """In the order in which they came."""
    samples: Sequence[Sample] = ()
    """Empty where the system does not tell."""
    calls: Mapping[str, Calls] | None = None
    """By their names; None where nobody could count."""
    server_lives: bool = True
    """Whether the server answered when the program had ended."""

    @property
    def exit_code(self) -> int | None:
        """Negative for a signal, as subprocesses have it; None if it was killed."""
        return self.ending.exit_code

    @property
    def seconds(self) -> float:
        """From the program's beginning to its end."""
        return self.ending.seconds

    @property
    def user(self) -> float:
        """Seconds of processor time in the program's own code."""
        return self.ending.user

    @property
    def system(self) -> float:
        """Seconds of processor time in the kernel, on the program's behalf."""
        return self.ending.system

    @property
    def waiting(self) -> float:
        """Seconds in which it used no processor: of one, if it used several."""
        return max(self.seconds - self.user - self.system, 0.0)

    @property
    def share(self) -> float:
        """Of the processor time that others left to it, what it used: 1 is all."""
        held_up = max((sample.held_up for sample in self.samples), default=0.0)
        return (self.user + self.system) / max(self.seconds - held_up, 1e-3)

    @property
    def memory(self) -> int:
        """Bytes that were resident at the most, in all its processes."""
        # What the kernel says at the end begins with the process that started it.
        most = max((sample.memory for sample in self.samples), default=0)
        return most or self.ending.memory

    @property
    def threads(self) -> int:
        """The most at once, in all its processes; 1 if nobody looked."""
        return max((sample.threads for sample in self.samples), default=1)

    @property
    def processes(self) -> int:
        """The most at once; 1 if nobody looked."""
        return max((sample.processes for sample in self.samples), default=1)

    @property
    def descriptors(self) -> int:
        """The most that were open at once; 0 if nobody looked."""
        return max((sample.descriptors for sample in self.samples), default=0)

    @property
    def together(self) -> int:
        """The most requests that were in flight at once."""
        changes = [(request.came, 1) for request in self.requests]
        changes += [
            (request.ended, -1)
            for request in self.requests
            if request.ended is not None
        ]
        # At one instant, what ends does so before something else comes.
        return max(accumulate(change for _, change in sorted(changes)), default=0)

    def end_of(self, request: Request) -> float:
        """When a request ended; the program's own end, if it is in flight."""
        if request.ended is None:
            return max(self.seconds, request.came)
        return request.ended

    @property
    def answered(self) -> Sequence[Request]:
        """The requests that were answered whole."""
        return [r for r in self.requests if r.outcome == "answered"]

    def as_json(self) -> str:
        """The run as a JSON document, which `from_json` reads."""
        values = asdict(self)
        # A line for each sample and request, so that a difference can be read.
        lines = {
            name: "[\n" + ",\n".join(map(_json, values.pop(name))) + "\n]"
            for name in ("requests", "samples")
        }
        rest = _json(values)
        return rest[:-1] + "".join(f',\n"{n}": {v}' for n, v in lines.items()) + "}\n"

    @classmethod
    def from_json(cls, document: str) -> Run:
        """The run that `as_json` wrote."""
        values = json.loads(document)
        calls = values["calls"]
        return cls(
            **{
                **values,
                "ending": Ending(**values["ending"]),
                "requests": [Request(**r) for r in values["requests"]],
                "samples": [Sample(**s) for s in values["samples"]],
                "calls": calls and {n: Calls(**c) for n, c in calls.items()},
            }
        )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
