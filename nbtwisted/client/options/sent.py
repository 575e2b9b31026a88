"""What a part on a cluster's worker is told of a run, as JSON and back.

Files are read here, and their contents are sent: a worker has files of its own. What
the environment says of proxies has been read by then.
"""

from __future__ import annotations

import math
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields
from operator import attrgetter
from tempfile import TemporaryDirectory
from typing import Any, cast

from nbtwisted.client.connection.pool import TLSOptions
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job, JobTemplate
from nbtwisted.client.many.job_lines import read_job, write_job
from nbtwisted.client.options.get import Options
from nbtwisted.client.places.part_files import PlaceSpec
from nbtwisted.client.proxies import Proxies, Proxy
from nbtwisted.client.request.getting import How
from nbtwisted.client.request.retrying import Retries

__all__ = ["JobsInShort", "PartOptions", "tls_files"]

_FILES = ("authorities", "certificate", "key")
_AS_THEY_ARE = (
    *("max_time", "connect_timeout", "first_byte_timeout", "headers", "max_redirects"),
    *("family", "rate", "rate_per_host", "compressed"),
)


@dataclass(frozen=True)
class PartOptions:
    """What a part does: its share of a run.

    In `how`, `tls` has the contents of files in place of their paths: `tls_files` makes
    files of them again.
    """

    format: str
    fail: bool
    concurrency: int
    per_host: int | None
    keeps_alive: bool
    may_need_tls: bool
    template: JobTemplate
    how: How
    place: PlaceSpec | None
    """Where its records are written; None if they are sent."""
    ahead: float
    """Seconds by which the worker's clock is ahead: its records have the driver's."""

    @classmethod
    def of(
        cls,
        options: Options,
        concurrency: int,
        number: int,
        place: PlaceSpec | None = None,
        ahead: float = 0.0,
    ) -> PartOptions:
        """The options of one of so many parts, with so many requests in flight.

        Raises `OSError` for a file that cannot be read.
        """
        how = options.how
        rate = how["rate"]
        return cls(
            options.format,
            options.fail,
            concurrency,
            options.per_host,
            options.number > min(options.concurrency, options.per_host or math.inf),
            options.may_need_tls,
            options.template,
            {
                **how,
                "rate": None if rate is None else rate / number,
                "tls": _contents(how["tls"]),
            },
            place,
            ahead,
        )

    def as_json(self) -> dict[str, Any]:
        """As a value of JSON, but for the body of the template."""
        how, template = self.how, self.template
        limits, retries = how["limits"], how["retries"]
        assert limits is not None, "not as options are read"
        assert retries is not None, "not as options are read"
        names = [field.name for field in fields(self)]
        names = [name for name in names if name not in ("template", "how")]
        return {
            **{name: getattr(self, name) for name in names},
            "template": [
                template.method,
                template.body is not None,
                template.body_headers,
            ],
            **{name: how[name] for name in _AS_THEY_ARE},  # type: ignore[literal-required]
            "limits": astuple(limits),
            "retries": [_finite(value) for value in astuple(retries)],
            "overrides": [[*at, list(to)] for at, to in how["overrides"].items()],
            "tls": how["tls"],
            "proxies": _write_proxies(how["proxies"]),
        }

    @classmethod
    def read(cls, written: Mapping[str, Any], body: bytes) -> PartOptions:
        """Read what `as_json` gave, and the body of the template."""
        given = dict(written)
        method, has_body, body_headers = given.pop("template")
        number, delay, max_time, all_methods = given.pop("retries")
        longest = math.inf if max_time is None else max_time
        how: dict[str, Any] = {name: given.pop(name) for name in _AS_THEY_ARE}
        how |= {
            "headers": _pairs(how["headers"]),
            "limits": Limits(*given.pop("limits")),
            "retries": Retries(number, delay, longest, all_methods),
            "overrides": {
                (host, port): tuple(to) for host, port, to in given.pop("overrides")
            },
            "tls": given.pop("tls"),
            "proxies": _read_proxies(given.pop("proxies")),
            "unix_socket": None,
        }
        template = JobTemplate(method, body if has_body else None, _pairs(body_headers))
        return cls(template=template, how=cast(How, how), **given)


def _finite(value: float) -> float | None:
    return None if value == math.inf else value


def _pairs(written: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in written)


def _contents(tls: TLSOptions | None) -> TLSOptions | None:
    """The same with the contents of files for their paths."""
    if tls is None:
        return None
    contents: dict[str, Any] = {**tls}
    for name in _FILES:
        if contents[name] is not None:
            with open(contents[name], encoding="latin-1") as file:
                contents[name] = file.read()
    return cast(TLSOptions, contents)


@contextmanager
def tls_files(tls: TLSOptions | None) -> Iterator[TLSOptions | None]:
    """The same with paths for the contents of files, which are there meanwhile.

    Nobody else can read them.
    """
    if tls is None:
        yield None
        return
    with TemporaryDirectory() as folder:
        paths: dict[str, Any] = {**tls}
        for name in _FILES:
            if paths[name] is not None:
                path = os.path.join(folder, name)
                with open(path, "w", encoding="latin-1") as file:
                    file.write(paths[name])
                paths[name] = path
        yield cast(TLSOptions, paths)


def _write_proxies(proxies: Proxies | None) -> Any:
    if proxies is None:
        return None
    return [_write_proxy(proxies.http), _write_proxy(proxies.https), proxies.no_proxy]


def _write_proxy(proxy: Proxy | None) -> Any:
    if proxy is None:
        return None
    user = None if proxy.user is None else b64encode(proxy.user).decode()
    password = b64encode(proxy.password).decode()
    return {**asdict(proxy), "user": user, "password": password}


def _read_proxies(written: Any) -> Proxies | None:
    if written is None:
        return None
    http, https, no_proxy = written
    return Proxies(_read_proxy(http), _read_proxy(https), no_proxy)


def _read_proxy(written: Any) -> Proxy | None:
    if written is None:
        return None
    user = None if written["user"] is None else b64decode(written["user"])
    return Proxy(
        **{**written, "user": user, "password": b64decode(written["password"])}
    )


class JobsInShort:
    """Jobs as values of JSON: one that the template makes of a URL is that URL."""

    _REST = attrgetter(*(each.name for each in fields(Job) if each.name != "url"))

    def __init__(self, template: JobTemplate) -> None:
        self._template = template
        # The body is known as the same object: nobody compares a gigabyte.
        self._usual = self._REST(template.job(""))

    def write(self, job: Job | BadJob) -> Any:
        """The value for a job."""
        if isinstance(job, Job) and self._REST(job) == self._usual:
            return job.url
        written = write_job(job)
        return {"url": written} if isinstance(written, str) else written

    def read(self, written: Any) -> Job | BadJob:
        """The job of a value."""
        if isinstance(written, str):
            return self._template.job(written)
        return read_job(written)
