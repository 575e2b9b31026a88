"""A real proxy that is given rules while it runs."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from tests.proxy.running import RunningProxy

__all__ = ["RuledProxy"]


class RuledProxy(RunningProxy):
    """A proxy in front of `upstream`; in the end it has logged no traceback."""

    def __init__(self, upstream: str, *options: str) -> None:
        listen = ("--listen", "tcp:0:interface=127.0.0.1")
        super().__init__(upstream, *listen, *options)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def rule(self, name: str, **fields: Any) -> None:
        """Make a rule, which acts at once; `expires` stands for its field `for`."""
        if "expires" in fields:
            fields["for"] = fields.pop("expires")
        answer = self.operators("PUT", f"/__admin/rules/{name}", fields)
        assert "error" not in answer, answer

    def remove(self, name: str) -> None:
        """Remove a rule."""
        answer = self.operators("DELETE", f"/__admin/rules/{name}")
        assert "error" not in answer, answer

    def __enter__(self) -> RuledProxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        assert "Traceback" not in self.output, self.output
