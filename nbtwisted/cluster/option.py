"""The option of commands that can do their work on a cluster."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from nbtwisted.cluster.place import Place
from nbtwisted.command_line import reading

__all__ = ["add_cluster_option"]


def add_cluster_option(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Let a parser read a place, and refuse any where Dask is not installed.

    `purpose` is what its help says.
    """
    parser.add_argument(
        "--cluster", type=reading(_place), metavar="PLACE", help=purpose
    )


def _place(text: str) -> Place:
    place = Place.parse(text)
    if find_spec("distributed") is None:
        raise ValueError("expected Dask: pip install 'nbtwisted[cluster]'")
    return place
