"""The pages about the API, which modules tell of themselves."""

from __future__ import annotations

import inspect
from importlib import import_module

__all__ = ["API", "api_page"]

API: dict[str, list[str]] = {
    "client": [
        "nbtwisted.client.request.getting.How",
        "nbtwisted.client.request.getting.Getter",
    ],
    "server": [],
    "reactor": [
        "nbtwisted.reactor.thread_check.watch",
        "nbtwisted.reactor.thread_check.WrongThread",
    ],
    "timeline": [],
    "testing": [],
    "pytest_plugin": [
        "nbtwisted.testing.slow_app.SlowApp",
        "nbtwisted.server.model.fault_port.FaultPort",
    ],
}
"""Modules, and what their public names speak of that nobody has to import."""


def api_page(name: str) -> str:
    """Markdown that has Sphinx show a module and its public names, functions first."""
    module = import_module(f"nbtwisted.{name}")
    public = [f"{module.__name__}.{name}" for name in module.__all__]
    directives = [_directive(name) for name in [*public, *API[name]]]
    return (
        f"# {module.__name__}\n\n```{{eval-rst}}\n"
        f".. automodule:: {module.__name__}\n   :no-members:\n\n"
        + "\n".join(sorted(directives, key=lambda line: "function::" not in line))
        + "\n```\n"
    )


def _directive(name: str) -> str:
    place, _, last = name.rpartition(".")
    thing = getattr(import_module(place), last)
    if inspect.isclass(thing):
        kind = "exception" if issubclass(thing, BaseException) else "class"
    else:
        kind = "function" if callable(thing) else "data"
    return f".. auto{kind}:: {name}"
