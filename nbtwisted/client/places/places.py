"""Folders that many machines write to: URLs that fsspec knows."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from threading import Thread
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from nbtwisted.client.target import shown
from nbtwisted.printable import printable

__all__ = ["PATIENCE", "Place", "in_thread", "is_place", "open_place"]

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds that a place may take for what it is asked to do at once."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_LOCAL = ("file", "local")
_LONGEST_REASON = 300


def is_place(text: str) -> bool:
    """Whether this is the URL of a place, and not a path."""
    return _URL.match(text) is not None


class Place(Protocol):
    """A folder. Whatever it does may wait for a network: it is for a thread.

    Raises `OSError` with the URL or the path of what cannot be read or written.
    """

    url: str
    """As it may be shown."""

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files, in place of those that are there."""

    def put_whole(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a file of which nobody finds a part, if the place can do that."""

    def read(self, name: str) -> bytes | None:
        """What is in a file; None if it is not there."""

    def remove(self, name: str) -> None:
        """Remove a file."""


def open_place(url: str) -> Place:
    """The folder at the URL, which is made if need be.

    Raises `OSError`.
    """
    match = _URL.match(url)
    assert match is not None, "a path"
    scheme, behind = match.groups()
    with _naming(shown(url)):
        if not behind.strip("/"):
            raise ValueError(f"expected a folder behind {scheme}://")
        # As in zip://x.zip::s3://bucket, where all parts would write the same file.
        if "::" in url:
            raise ValueError("expected a single URL, without ::")
        if scheme not in _LOCAL:
            return _Store(scheme, url)
        if not behind.startswith("/"):
            raise ValueError(f"expected three slashes: {scheme}:///{behind}")
        return _LocalFolder(url, behind)


def in_thread(reactor: Any, url: str, call: Callable[[], T]) -> Deferred[T]:
    """Call what has to do with the place at the URL, and may hang.

    Fires with what comes of it, or fails with `OSError` after `PATIENCE`. The thread is
    one for which nobody waits when the process ends, as the reactor's own are.
    """
    called: Deferred[T] = Deferred()

    def run() -> None:
        try:
            result: T | Failure = call()
        except OSError:
            result = Failure()
        except Exception as error:
            result = Failure(_named(error, shown(url)))
        reactor.callFromThread(called.callback, result)

    def give_up(_: object, seconds: float) -> Failure:
        reason = f"it takes longer than {seconds:g} s"
        return Failure(OSError(errno.ETIMEDOUT, reason, shown(url)))

    Thread(target=run, name="place", daemon=True).start()
    return called.addTimeout(PATIENCE, reactor, give_up)


class _LocalFolder:
    """A folder that this machine has, or has mounted.

    `ResultFolder` takes care that nothing outside it is written to; fsspec does not.
    """

    def __init__(self, url: str, path: str) -> None:
        from nbtwisted.client.results.folder import ResultFolder  # 4 ms

        self.url = url.rstrip("/")
        self._folder = ResultFolder(path)

    def put(self, files: Mapping[str, bytes]) -> None:
        """As all have it."""
        for name, data in files.items():
            self._folder.write(name, data)

    def put_whole(self, name: str, pieces: Iterable[bytes]) -> None:
        """As all have it."""
        self._folder.replace(name, pieces)

    def read(self, name: str) -> bytes | None:
        """As all have it."""
        return self._folder.read(name)

    def remove(self, name: str) -> None:
        """As all have it."""
        self._folder.remove(name)


class _Store:
    """A folder of anything else."""

    def __init__(self, scheme: str, url: str) -> None:
        from fsspec import get_filesystem_class, url_to_fs  # 40 ms

        try:
            get_filesystem_class(scheme)
        except ValueError:
            raise ValueError(
                "expected a protocol that fsspec knows, such as s3, gs or file"
            ) from None
        self.url = shown(url).rstrip("/")
        self._store, self._path = url_to_fs(url)
        # Object stores have no folders. To ask them for one is to ask for a bucket.
        if not self._store.async_impl:
            self._store.makedirs(self._path, exist_ok=True)

    def put(self, files: Mapping[str, bytes]) -> None:
        """As all have it."""
        with self._naming(*files):
            self._store.pipe({self._at(name): data for name, data in files.items()})

    def put_whole(self, name: str, pieces: Iterable[bytes]) -> None:
        """As all have it."""
        # An object is there from when it was closed.
        is_whole = self._store.async_impl
        written = self._at(name if is_whole else f".{name}.new")
        with self._naming(name):
            with self._store.open(written, "wb") as file:
                for piece in pieces:
                    file.write(piece)
            if not is_whole:
                self._store.mv(written, self._at(name))

    def read(self, name: str) -> bytes | None:
        """As all have it."""
        with self._naming(name):
            try:
                return bytes(self._store.cat_file(self._at(name)))
            except FileNotFoundError:
                return None

    def remove(self, name: str) -> None:
        """As all have it."""
        with self._naming(name):
            self._store.rm_file(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    def _naming(self, *names: str) -> AbstractContextManager[None]:
        return _naming(f"{self.url}/{names[0]}" if len(names) == 1 else self.url)


@contextmanager
def _naming(url: str) -> Iterator[None]:
    """Have an error of any library name the URL."""
    try:
        yield
    except Exception as error:
        raise _named(error, url) from None


def _named(error: Exception, url: str) -> OSError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OSError(errno.EIO, printable(reason, longest=_LONGEST_REASON), url)
