"""Requests that are ready to be sent, and what they share."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.header import merged
from nbtwisted.client.job import Job
from nbtwisted.client.target import Target
from nbtwisted.client.writing import write_message
from nbtwisted.load.requests.prepared import Prepared, Preparing, count_methods
from tests.guard import ClockCase

JOBS = (
    Job("http://a/1"),
    Job("http://a/2?x=1"),
    Job("http://a/1", "HEAD"),
    Job("http://b:81/", "POST", (("X-A", "1"),), b"body"),
    Job("http://me:secret@b:81/", "PUT", (("X-All", ""),), b""),
)


def prepare(*jobs: Job) -> list[Prepared]:
    preparing = Preparing(headers=(("X-All", "2"),), keeps_alive=True, timeout=5)
    return [preparing.prepare(Target.parse(job.url), job) for job in jobs]


class PreparedTests(ClockCase):
    def test_the_bytes_are_those_of_a_message(self) -> None:
        for job, request in zip(JOBS, prepare(*JOBS), strict=True):
            expected = write_message(
                Target.parse(job.url),
                job.method,
                merged((("X-All", "2"),), job.headers),
                job.body,
                keep_alive=True,
            )
            self.assertEqual(request.message, expected)
            self.assertEqual(request.message.is_head, job.method == "HEAD")

    def test_what_is_common_is_kept_once(self) -> None:
        one, two, head, _, _ = prepare(*JOBS)
        self.assertIs(one.common, two.common)
        self.assertIsNot(one.common, head.common)

    def test_times(self) -> None:
        own, usual = prepare(Job("http://a/", max_time=0.5), Job("http://a/"))
        self.assertEqual((own.common.timeout, usual.common.timeout), (0.5, 5))

    @given(
        st.lists(st.sampled_from(["GET", "HEAD", "POST"]), min_size=1, max_size=6),
        st.integers(0, 20),
        st.integers(0, 30),
    )
    def test_methods_of_turns(
        self, methods: list[str], first: int, number: int
    ) -> None:
        requests = prepare(*(Job("http://a/", method) for method in methods))
        turns = (methods * 60)[first : first + number]
        counted = count_methods(requests, first=first, number=number)
        self.assertEqual(counted, Counter(turns))
