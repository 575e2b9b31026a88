"""Retries: after what, how often, and when."""

from __future__ import annotations

import os
import time
from email.utils import formatdate
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError

from nbtwisted.client.errors import (
    BadURL,
    CertificateRefused,
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    DeadlinePassed,
    EmptyResponse,
    FirstByteTimeout,
    Interrupted,
    MalformedResponse,
    NameNotResolved,
    RequestError,
    ResponseCutShort,
    ResponseTooLarge,
    SendFailed,
    TLSFailed,
    TooManyRedirects,
)
from nbtwisted.client.request.retrying import LONGEST_WAIT, Retries
from nbtwisted.client.result import Attempt, Response, Result
from tests.client.in_memory import A_TURN, FILENO, Network
from tests.client.results import attempt
from tests.guard import ClockCase

NOW = 1_800_000_000.0


def answered(status: int, **headers: str) -> Attempt:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return attempt(*fields, status=status)


def failed(error: RequestError, status: int | None = None) -> Attempt:
    return attempt(("Retry-After", "7"), status=status, error=error)


def wait(
    ended: Attempt,
    before: int = 1,
    passed: float = 0,
    draw: float = 0.5,
    **retries: Any,
) -> float | None:
    return Retries(**{"number": 3, **retries}).wait(
        ended, before=before, passed=passed, now=NOW, draw=lambda: draw
    )


class WhenTests(ClockCase):
    def test_after_which_statuses(self) -> None:
        retried = {s for s in range(200, 600) if wait(answered(s)) is not None}
        self.assertEqual(retried, {408, 429, 500, 502, 503, 504})

    def test_after_which_errors(self) -> None:
        passing = [ResponseCutShort, ConnectFailed, ConnectTimeout, ConnectionLost]
        passing += [EmptyResponse, FirstByteTimeout, NameNotResolved, SendFailed]
        lasting = [ResponseTooLarge, BadURL, CertificateRefused, DeadlinePassed]
        lasting += [Interrupted, MalformedResponse, TLSFailed, TooManyRedirects]
        for kind in passing:
            self.assertIsNotNone(wait(failed(kind())), kind)
        for kind in lasting:
            self.assertIsNone(wait(failed(kind())), kind)

    def test_an_error_counts_and_not_the_head_before_it(self) -> None:
        self.assertIsNone(wait(failed(ResponseTooLarge(), 503)))
        # Nor what that asked for.
        self.assertEqual(wait(failed(ResponseCutShort(), 200)), 0.5)

    def test_how_often(self) -> None:
        self.assertIsNotNone(wait(answered(503), before=3))
        self.assertIsNone(wait(answered(503), before=4))
        self.assertIsNone(wait(answered(503), number=0))
        self.assertIsNone(Retries().wait(answered(503), **self.first()))

    def first(self) -> Any:
        return {"before": 1, "passed": 0, "now": NOW, "draw": lambda: 0}

    def test_the_range_doubles_up_to_a_minute(self) -> None:
        longest = [
            wait(answered(503), before=n, draw=1, number=5000, delay=2)
            for n in (1, 2, 3, 5, 6, 5000)
        ]
        self.assertEqual(longest, [2, 4, 8, 32, 60, 60])
        self.assertEqual(wait(answered(503), before=3, draw=0.25, delay=2), 2)
        self.assertEqual(wait(answered(503), before=3, draw=0), 0)

    def test_no_later_than(self) -> None:
        self.assertEqual(wait(answered(503), passed=4.5, max_time=5), 0.5)
        self.assertIsNone(wait(answered(503), passed=4.6, max_time=5))


FAR = "1 Jan 2024 00:00:00 +99999999999999999"


class RetryAfterTests(ClockCase):
    def asked(self, value: str, **more: Any) -> float | None:
        return wait(answered(503, Retry_After=value), draw=0.5, **more)

    def test_seconds(self) -> None:
        self.assertEqual(self.asked("7"), 7)
        self.assertEqual(self.asked("0"), 0.5)
        self.assertEqual(self.asked("0" * 5000 + "5"), 5)
        self.assertEqual(self.asked("0" * 5000), 0.5)
        self.assertEqual(wait(answered(429, retry_after="7")), 7)

    def test_date(self) -> None:
        self.assertEqual(self.asked(formatdate(NOW + 9, usegmt=True)), 9)
        self.assertEqual(self.asked(formatdate(NOW + 9).replace("-0000", "")), 9)
        self.assertEqual(self.asked(formatdate(NOW - 9, usegmt=True)), 0.5)

    def test_a_date_without_a_zone_is_not_the_machine_s(self) -> None:
        self.addCleanup(time.tzset)
        patched = mock.patch.dict(os.environ, TZ="JST-9")
        patched.start()
        self.addCleanup(patched.stop)
        time.tzset()
        self.assertEqual(self.asked(formatdate(NOW + 9).replace("-0000", "")), 9)

    def test_in_no_other_field(self) -> None:
        self.assertEqual(wait(answered(503, Age="50", X="51")), 0.5)
        self.assertEqual(wait(answered(503, Age="50", Retry_After="7", X="51")), 7)

    def test_no_longer_than_a_minute(self) -> None:
        self.assertEqual(self.asked("61"), LONGEST_WAIT)
        for digits in ("9" * 19, "9" * 5000, "0" * 5000 + "9" * 5000):
            self.assertEqual(self.asked(digits), LONGEST_WAIT)
        self.assertEqual(self.asked("Fri, 31 Dec 9999 23:59:59 GMT"), LONGEST_WAIT)

    def test_longer_than_retries_may_take(self) -> None:
        self.assertIsNone(self.asked("7", max_time=6))

    def test_what_cannot_be_read(self) -> None:
        for value in (
            "",
            "soon",
            "-5",
            "1.5",
            "1_0",
            "٣",
            "Fri, 99 Foo 2020",
            FAR,
            "1 " * 9999,
        ):
            self.assertEqual(self.asked(value), 0.5, value)

    @given(st.text(alphabet=st.characters(max_codepoint=255), max_size=40))
    def test_any(self, value: str) -> None:
        asked = self.asked(value)
        assert asked is not None
        self.assertTrue(0.5 <= asked <= LONGEST_WAIT, asked)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class AgainTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.network = Network()
        self.clock = self.network

    def get(self, retries: Retries, **options: Any) -> Deferred[Response]:
        getter = self.network.getter(retries=retries, draw=lambda: 0.5, **options)
        return getter.get("http://10.0.0.1/")

    def answer(self, data: bytes) -> None:
        connection = self.network.accept()
        connection.take_request()
        connection.answer(data)
        connection.finish()

    def ended(self, request: Deferred[Response], kind: type[RequestError]) -> Result:
        error = self.failureResultOf(request, kind).value
        assert isinstance(error, RequestError)
        assert error.result is not None
        self.assertIs(error.result.error, error)
        self.assertEqual(self.network.getDelayedCalls(), [])
        return error.result

    def test_each_attempt_is_recorded(self) -> None:
        request = self.get(Retries(3))
        self.network.advance(1)
        self.network.refuse(ConnectionRefusedError(111))
        self.network.advance(0.499)
        self.assertEqual(len(self.network.attempts), 1)
        self.network.advance(0.002)
        self.answer(BUSY)
        self.network.advance(1.001)
        self.answer(OK)
        answer = self.successResultOf(request)
        self.assertEqual((answer.status, answer.result.tries), (200, 3))
        first, second = answer.result.earlier
        assert first.error is not None
        self.assertEqual((first.error.phase, first.status), ("connect", None))
        self.assertIn("Connection refused", str(first.error))
        self.assertEqual((first.then, first.waited), ("retry", 0.5))
        self.assertEqual(first.timing.total, 1)
        self.assertEqual((second.status, second.error), (503, None))
        self.assertEqual((second.waited, second.fileno), (1.0, FILENO))
        self.assertAlmostEqual(answer.timing.total, 2.502)
        self.assertEqual(answer.result.effective_url, answer.result.url)

    def test_a_date_is_the_wall_s(self) -> None:
        # Which was set by an hour since the run began.
        an_hour_on = self.network.seconds() + 3600
        request = self.get(Retries(1), wall_clock=lambda: an_hour_on)
        date = formatdate(an_hour_on + 9, usegmt=True).encode()
        self.answer(BUSY.replace(b"Busy", b"Busy\r\nRetry-After: " + date))
        self.network.advance(8)
        self.assertNoResult(request)
        self.network.advance(2)
        self.answer(OK)
        self.assertEqual(self.successResultOf(request).result.attempts[0].waited, 9)

    def test_the_last_word_counts(self) -> None:
        request = self.get(Retries(1))
        self.answer(BUSY)
        self.network.advance(0.5)
        self.answer(BUSY)
        answer = self.successResultOf(request)
        self.assertEqual((answer.status, answer.result.tries), (503, 2))

    def test_the_last_error_counts(self) -> None:
        request = self.get(Retries(1))
        self.answer(BUSY)
        self.network.advance(0.5)
        self.network.refuse(ConnectionRefusedError(111))
        self.assertEqual(self.ended(request, ConnectFailed).tries, 2)

    def test_a_deadline_of_a_phase_can_be_tried_again(self) -> None:
        request = self.get(Retries(1), first_byte_timeout=2.0)
        connection = self.network.accept()
        connection.take_request()
        self.network.pump([2, A_TURN])
        connection.finish()
        self.network.advance(0.5)
        self.answer(OK)
        first, _ = self.successResultOf(request).result.attempts
        self.assertIsInstance(first.error, FirstByteTimeout)

    def test_the_deadline_of_all_cannot(self) -> None:
        request = self.get(Retries(3), max_time=2.0)
        self.answer(BUSY)
        self.network.advance(0.5)
        connection = self.network.accept()
        connection.take_request()
        self.network.pump([1.5, A_TURN])
        connection.finish()
        ended = self.ended(request, DeadlinePassed)
        why = "2 s passed while waiting for the first byte"
        self.assertEqual((str(ended.error), ended.tries), (why, 2))

    def test_no_wait_that_ends_behind_the_deadline(self) -> None:
        request = self.get(Retries(3), max_time=0.5)
        self.answer(BUSY)
        # An answer now is better than a deadline that passes while nothing is asked.
        self.assertEqual(self.successResultOf(request).status, 503)

    def test_cancelled_while_waiting(self) -> None:
        request = self.get(Retries(3))
        self.network.advance(1)
        self.answer(BUSY)
        self.network.advance(0.25)
        request.cancel()
        ended = self.ended(request, Interrupted)
        self.assertEqual(str(ended.error), "cancelled while waiting to try again")
        assert ended.timing is not None
        self.assertEqual((ended.timing.total, ended.timing.wait), (1.25, None))
        self.assertEqual((len(ended.attempts), ended.last), (1, None))
