"""What `make study` says of runs whose machine was slower or quicker, and of others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbtwisted.study.lesson import find_lesson
from nbtwisted.study.run import Calls, Run
from tests.study.every_program import differences


def recorded(lesson: str) -> Run:
    found = find_lesson(lesson)
    assert found is not None
    return found.recorded


def with_processor(run: Run, share: float) -> Run:
    user = run.seconds * share
    return replace(run, ending=replace(run.ending, user=user, system=0.0))


def with_threads(run: Run, most: int) -> Run:
    samples = [replace(s, threads=min(s.threads, most)) for s in run.samples]
    return replace(run, samples=samples)


@pytest.mark.parametrize("share", [0.2, 0.89, 1.5])
def test_share_of_a_program_that_works_is_the_machines(share: float) -> None:
    run = recorded("13")
    assert differences(with_processor(run, share), run) == []


@pytest.mark.parametrize(("lesson", "share"), [("4", 0.05), ("5", 0.9)])
def test_one_that_waits_and_one_that_spins_are_told_apart(
    lesson: str, share: float
) -> None:
    run = recorded(lesson)
    (difference,) = differences(with_processor(run, share), run)
    assert difference.startswith("processor: ")


def test_of_many_threads_how_many_is_the_machines() -> None:
    run = recorded("13")
    assert differences(with_threads(run, 700), run) == []


@pytest.mark.parametrize(("lesson", "most"), [("13", 200), ("2", 2)])
def test_fewer_threads_are_seen(lesson: str, most: int) -> None:
    run = recorded(lesson)
    (difference,) = differences(with_threads(run, most), run)
    assert difference.startswith("threads: ")


def test_whether_two_threads_meet_is_chance_but_not_that_a_socket_waits() -> None:
    run, sockets = recorded("2"), recorded("4")
    assert run.calls is not None
    assert sockets.calls is not None
    never = {**run.calls, "futex": Calls(run.calls["futex"].count, {})}
    assert differences(replace(run, calls=never), run) == []
    count = sockets.calls["recvfrom"].count
    waiting = {**sockets.calls, "recvfrom": Calls(count, {})}
    (difference,) = differences(replace(sockets, calls=waiting), sockets)
    assert difference.startswith("recvfrom EAGAIN: ")
