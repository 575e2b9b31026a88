"""Lets `nbtwisted ps` look into the process that imports this.

A program imports it before it makes the Deferreds that it may hang on: each remembers
from then on where it was made, and `nbtwisted ps PID` names the line.

    import nbtwisted.reactor.inspect
"""

from __future__ import annotations

from nbtwisted.reactor.answering import prepare
from nbtwisted.reactor.makers import note_makers

__all__ = ["note_makers", "prepare"]

prepare()
note_makers()
