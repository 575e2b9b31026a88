"""Coroutines, generators and functions, by the slots that Python itself gives them."""

from __future__ import annotations

import gc
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType
from typing import Any

from nbtwisted.reactor.naming import class_name

__all__ = ["awaited", "cell", "code_of", "frame_of", "qualname", "within"]


def code_of(routine: Any) -> Any:
    """The code of a coroutine or a generator; None of anything else."""
    kind = type(routine)
    if kind is CoroutineType:
        return routine.cr_code
    if kind is GeneratorType:
        return routine.gi_code
    if kind is AsyncGeneratorType:
        return routine.ag_code
    return None


def frame_of(routine: Any) -> Any:
    """Where it stands; None if it has ended."""
    kind = type(routine)
    if kind is CoroutineType:
        return routine.cr_frame
    if kind is GeneratorType:
        return routine.gi_frame
    if kind is AsyncGeneratorType:
        return routine.ag_frame
    return None


def awaited(routine: Any) -> Any:
    """What a coroutine awaits just now; of a generator, what it yields from."""
    kind = type(routine)
    if kind is CoroutineType:
        return routine.cr_await
    if kind is GeneratorType:
        return routine.gi_yieldfrom
    if kind is AsyncGeneratorType:
        return routine.ag_await
    return None


def within(awaitable: Any) -> Any:
    """The coroutine that an object of Python's own awaits on behalf of another."""
    if class_name(type(awaitable)) not in (
        "async_generator_asend",
        "async_generator_athrow",
        "anext_awaitable",
        "coroutine_wrapper",
    ):
        return None
    for held in gc.get_referents(awaitable):
        if (
            code_of(held) is not None
            or class_name(type(held)) == "async_generator_asend"
        ):
            return held
    return None


def cell(function: FunctionType, name: str) -> Any:
    """A variable of an outer function."""
    for known, cell in zip(
        function.__code__.co_freevars, function.__closure__ or (), strict=False
    ):
        if known == name:
            try:
                return cell.cell_contents
            except ValueError:
                return None
    return None


def qualname(function: FunctionType) -> str:
    """Its name with those of the functions and classes that it is in."""
    name: object = function.__qualname__
    return name if type(name) is str else ""
