"""What each word of a judge passes, what it does not, and what it says."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study.checks import (
    answers,
    calls,
    descriptors,
    lingers,
    memory,
    prints,
    processes,
    processor,
    requests,
    seen,
    spans,
    takes,
    threads,
    together,
)
from nbtwisted.study.run import Calls, Run
from nbtwisted.study.task import LONGEST_QUOTED, Check, Finding, Task
from nbtwisted.study.text import Text
from tests.study.runs import a_request, a_run, samples


def found(check: Check, run: Run) -> Finding:
    finding = check(run)
    assert finding is not None
    return finding


class CheckCase(SynchronousTestCase):
    def passes(self, check: Check, run: Run) -> None:
        finding = found(check, run)
        self.assertTrue(finding.is_good, finding)

    def fails(self, check: Check, run: Run, *sentences: str) -> None:
        """The sentences: expected and seen in English, then both in Japanese."""
        finding = found(check, run)
        self.assertFalse(finding.is_good, finding)
        expected, seen = finding.expected, finding.seen
        if sentences:
            self.assertEqual(
                (expected.en, seen.en, expected.ja, seen.ja), sentences, finding
            )


class EveryProgramTests(CheckCase):
    """What is judged of every program."""

    def fails_task(self, run: Run, *sentences: str) -> None:
        task = Task(answers(5), seconds=4)
        finding = task.judge(run)
        assert finding is not None
        self.fails(lambda _: finding, run, *sentences)
        # Nothing else is judged of such a program.
        self.assertEqual(list(task.findings(run))[-1], finding)

    def test_one_that_is_good(self) -> None:
        task = Task(answers(5))
        self.assertIsNone(task.judge(a_run()))
        self.assertEqual([f.is_good for f in task.findings(a_run())], [True] * 4)

    def test_one_that_was_stopped(self) -> None:
        self.fails_task(
            a_run(exit_code=None, seconds=4.03),
            "the program ends by itself, within 4 s",
            "it still ran after 4.0 s, and was stopped",
            "プログラムが 4 秒以内に自分で終わる",
            "4.0 秒たっても動いていたので、止めました",
        )

    def test_one_that_raised(self) -> None:
        self.fails_task(
            a_run(exit_code=1, stderr="Traceback …\nOSError: \x1b[31mno\n\n"),
            "the program ends with exit code 0",
            "it ended with exit code 1: OSError: \\x1b[31mno",
            "終了コード 0 で終わる",
            "終了コード 1 で終わりました: OSError: \\x1b[31mno",
        )

    def test_one_that_a_signal_ended(self) -> None:
        self.fails_task(
            a_run(exit_code=-15),
            "the program ends with exit code 0",
            "signal SIGTERM ended it",
            "終了コード 0 で終わる",
            "シグナル SIGTERM で終わりました",
        )

    def test_a_signal_without_a_name(self) -> None:
        finding = Task().judge(a_run(exit_code=-40))
        assert finding is not None
        self.assertEqual(finding.seen.en, "signal 40 ended it")

    def test_what_is_quoted_is_short(self) -> None:
        finding = Task().judge(a_run(exit_code=1, stderr="x" * 10_000))
        assert finding is not None
        self.assertLess(len(finding.seen.en), LONGEST_QUOTED + 50)

    def test_one_that_ended_the_server(self) -> None:
        self.fails_task(
            a_run(server_lives=False),
            "the delay server still answers when the program has ended",
            "it does not answer any more",
            "プログラムが終わっても、サーバは応答する",
            "サーバが応答しなくなりました",
        )

    def test_all_of_the_task_is_judged_of_others(self) -> None:
        task = Task(answers(6), together(5), takes(below=1))
        findings = [finding.is_good for finding in task.findings(a_run())]
        self.assertEqual(findings, [True, True, True, False, True, False])

    def test_what_could_not_be_seen_is_not_judged(self) -> None:
        self.assertIsNone(Task(calls("connect")).judge(a_run(calls=None)))


class AnswersTests(CheckCase):
    def test_so_many(self) -> None:
        self.passes(answers(5), a_run())
        self.passes(answers(at_least=4), a_run())
        self.passes(answers(at_most=5), a_run())
        self.passes(answers(at_least=5, at_most=6), a_run())

    def test_too_few(self) -> None:
        self.fails(
            answers(6),
            a_run(),
            "the server answers 6 requests with 200",
            "5 did; 5 came in all (5 × 200)",
            "サーバが 6 件のリクエストに応答する (200)",
            "5 件でした。届いたのは全部で 5 件です (5 × 200)",
        )

    def test_too_many(self) -> None:
        self.fails(answers(4), a_run())
        self.fails(answers(at_most=4), a_run())

    def test_none(self) -> None:
        self.fails(
            answers(at_least=1),
            a_run([]),
            "the server answers at least 1 request with 200",
            "no request came",
            "サーバが 1 件以上のリクエストに応答する (200)",
            "リクエストは 1 件も来ませんでした",
        )

    def test_those_that_were_broken_do_not_count(self) -> None:
        run = a_run(
            [
                a_request(1),
                a_request(2, status=503),
                a_request(3, outcome="cancelled", status=None),
                a_request(4, outcome="broken", status=200, fault="reset"),
            ]
        )
        self.passes(answers(1), run)
        self.passes(answers(1, status=503), run)
        self.passes(answers(2, status=None), run)
        self.assertEqual(
            found(answers(4), run).seen.en,
            "1 did; 4 came in all (1 × 200, 1 × 503, 1 × - cancelled, 1 × 200 broken)",
        )

    def test_those_of_a_target(self) -> None:
        run = a_run([a_request(1, target="/a?b"), a_request(2, target="/b")])
        self.passes(answers(1, target="/a"), run)
        self.fails(
            answers(2, target="/a", status=None),
            run,
            "the server answers 2 requests to /a",
            "1 did; 2 came in all (2 × 200)",
            "サーバが 2 件のリクエスト (/a) に応答する",
            "1 件でした。届いたのは全部で 2 件です (2 × 200)",
        )


class RequestsTests(CheckCase):
    def test_all_count_however_they_ended(self) -> None:
        run = a_run([a_request(1, outcome="cancelled", status=None), a_request(2)])
        self.passes(requests(2), run)
        self.fails(
            requests(at_most=1),
            run,
            "the program sends at most 1 request",
            "2 did; 2 came in all (1 × - cancelled, 1 × 200)",
            "プログラムが 1 件以下のリクエストを送る",
            "2 件でした。届いたのは全部で 2 件です (1 × - cancelled, 1 × 200)",
        )

    def test_those_of_a_target(self) -> None:
        run = a_run([a_request(1, target="/a"), a_request(2, target="/b")])
        self.passes(requests(1, target="/b"), run)
        self.fails(requests(1, target="/c"), run)


class CountTests(CheckCase):
    def test_together(self) -> None:
        self.passes(together(5), a_run())
        self.passes(together(at_least=2), a_run())
        self.fails(
            together(1),
            a_run(),
            "the most requests in flight at once: 1",
            "5",
            "同時に待つリクエストの最大数: 1",
            "5",
        )
        self.fails(together(at_least=6), a_run())

    def test_threads(self) -> None:
        run = a_run(samples=samples(threads=6))
        self.passes(threads(6), run)
        self.fails(
            threads(at_most=1),
            run,
            "the most threads at once: at most 1",
            "6",
            "同時に動くスレッドの最大数: 1 以下",
            "6",
        )

    def test_processes(self) -> None:
        run = a_run(samples=samples(processes=3))
        self.passes(processes(at_least=2, at_most=4), run)
        self.fails(
            processes(at_least=4, at_most=1000),
            run,
            "the most processes at once: 4 to 1,000",
            "3",
            "同時に動くプロセスの最大数: 4〜1,000",
            "3",
        )

    def test_descriptors(self) -> None:
        run = a_run(samples=samples(descriptors=12_000))
        self.passes(descriptors(at_least=10_000), run)
        self.fails(
            descriptors(at_most=100),
            run,
            "the most descriptors open at once: at most 100",
            "12,000",
            "同時に開くディスクリプタの最大数: 100 以下",
            "12,000",
        )

    def test_none_of_them_is_judged_without_samples(self) -> None:
        run = a_run(samples=())
        for check in (threads(9), processes(9), descriptors(9)):
            self.assertIsNone(check(run))


class MeasureTests(CheckCase):
    def test_takes(self) -> None:
        run = a_run(seconds=3.1)
        self.passes(takes(below=4), run)
        self.passes(takes(above=3), run)
        self.passes(takes(above=3, below=4), run)
        self.fails(
            takes(below=3),
            run,
            "the program takes less than 3.0 s",
            "3.1 s",
            "かかる時間: 3.0 秒未満",
            "3.1 秒",
        )
        self.fails(
            takes(above=5),
            run,
            "the program takes more than 5.0 s",
            "3.1 s",
            "かかる時間: 5.0 秒より多い",
            "3.1 秒",
        )
        self.fails(
            takes(above=1, below=2),
            run,
            "the program takes between 1.0 s and 2.0 s",
            "3.1 s",
            "かかる時間: 1.0 秒〜2.0 秒",
            "3.1 秒",
        )

    def test_spans(self) -> None:
        # From the first that came to the end of the last.
        run = a_run([a_request(1, 1.0), a_request(2, 2.0)], seconds=9)
        self.passes(spans(above=1.9, below=2.1), run)
        self.fails(
            spans(below=1),
            run,
            "all requests take less than 1.0 s together",
            "2.0 s",
            "すべてのリクエストにかかる時間: 1.0 秒未満",
            "2.0 秒",
        )
        # One that is in flight ends with the program.
        in_flight = a_run([a_request(1, 1.0, ended=None)], seconds=9)
        self.passes(spans(above=7.9, below=8.1), in_flight)
        self.passes(spans(below=1), a_run([]))

    def test_lingers(self) -> None:
        run = a_run([a_request(1, 1.0)], seconds=3.5)
        self.passes(lingers(below=2), run)
        self.fails(
            lingers(below=1),
            run,
            "the program ends less than 1.0 s after its last request has",
            "1.5 s",
            "最後のリクエストが終わってからプログラムが終わるまでの時間: 1.0 秒未満",
            "1.5 秒",
        )

    def test_processor(self) -> None:
        run = a_run(seconds=2, user=1.0, system=0.6)
        self.passes(processor(above=0.5), run)
        self.passes(processor(below=0.9), run)
        self.fails(
            processor(below=0.5),
            run,
            "it uses less than 50% of a processor's time",
            "80%",
            "プロセッサを使う割合: 50% 未満",
            "80%",
        )
        # Of two processors.
        self.passes(processor(above=1.5), a_run(seconds=1, user=1.8, system=0))
        # What others had of it, the program could not use.
        run = a_run(seconds=2, user=0.2, system=0, samples=samples(held_up=1.5))
        self.fails(processor(below=0.25), run)
        self.passes(processor(above=0.35, below=0.45), run)
        # Of a program that took no time.
        self.passes(processor(below=0.5), a_run(seconds=0, user=0, system=0))

    def test_memory(self) -> None:
        run = a_run(samples=samples(memory=80_000_000))
        self.passes(memory(above=79, below=81), run)
        self.fails(
            memory(below=50),
            run,
            "its memory at the most: less than 50 MB",
            "80 MB",
            "メモリの最大値: 50 MB 未満",
            "80 MB",
        )
        self.passes(memory(below=14), a_run(samples=()))

    def test_a_measure_has_a_bound(self) -> None:
        for check in (takes(), processor(), memory(), answers(), together()):
            with self.assertRaises(AssertionError):
                check(a_run())


class CallsTests(CheckCase):
    def run_with(self, **made: Calls) -> Run:
        return a_run(calls=made)

    def test_at_least_once(self) -> None:
        self.passes(calls("connect"), self.run_with(connect=Calls(1, {})))
        self.fails(
            calls("connect"),
            self.run_with(),
            "calls of connect: at least 1",
            "0",
            "connect の呼び出し回数: 1 以上",
            "0",
        )

    def test_so_often(self) -> None:
        run = self.run_with(recvfrom=Calls(12, {}))
        self.passes(calls("recvfrom", at_least=10, at_most=12), run)
        self.fails(calls("recvfrom", at_most=11), run)
        self.passes(calls("sendto", at_most=0), run)

    def test_by_any_of_its_names(self) -> None:
        run = self.run_with(epoll_pwait=Calls(3, {}), epoll_wait=Calls(2, {}))
        self.passes(calls("epoll_wait", at_least=5, at_most=5), run)
        self.passes(calls("epoll_pwait", at_least=5, at_most=5), run)
        self.passes(calls("fork"), self.run_with(fork=Calls(1, {})))

    def test_an_error(self) -> None:
        run = self.run_with(connect=Calls(5, {"EINPROGRESS": 4}))
        self.passes(calls("connect", error="EINPROGRESS"), run)
        self.fails(
            calls("connect", error="EINPROGRESS", at_least=5),
            run,
            "calls of connect: EINPROGRESS: at least 5",
            "4",
            "connect: EINPROGRESS の呼び出し回数: 5 以上",
            "4",
        )
        self.fails(calls("connect", error="ECONNREFUSED"), run)
        self.passes(calls("connect", error="EAGAIN", at_most=0), run)

    def test_what_nobody_could_see_is_not_judged(self) -> None:
        self.assertIsNone(calls("connect")(a_run(calls=None)))
        run = self.run_with(connect=Calls(5, None))
        self.assertIsNone(calls("connect", error="EINPROGRESS")(run))
        self.passes(calls("connect"), run)


class PrintsTests(CheckCase):
    EXPECTED = Text("it prints a sum", "合計を表示する")

    def test_what_matches(self) -> None:
        check = prints(r"^sum: \d+$", self.EXPECTED)
        self.passes(check, a_run(stdout="a\nsum: 3\nb\n"))

    def test_what_does_not(self) -> None:
        self.fails(
            prints(r"^sum: \d+$", self.EXPECTED),
            a_run(stdout="sum:\n\x1b[2Jab\n\n"),
            "it prints a sum",
            r"the last line that it printed is '\\x1b[2Jab'",
            "合計を表示する",
            r"最後に表示した行は '\\x1b[2Jab' です",
        )

    def test_nothing(self) -> None:
        self.fails(
            prints("a", self.EXPECTED),
            a_run(stdout="  \n"),
            "it prints a sum",
            "it printed nothing",
            "合計を表示する",
            "何も表示しませんでした",
        )


class SeenTests(CheckCase):
    def test_anything_else(self) -> None:
        def look(run: Run) -> Text | None:
            return None if run.seconds > 2 else Text("short", "短い")

        check = seen(Text("long", "長い"), look)
        self.passes(check, a_run(seconds=3))
        self.fails(check, a_run(seconds=1), "long", "short", "長い", "短い")


class TaskTests(SynchronousTestCase):
    def test_settings_of_the_server(self) -> None:
        def server(**settings: Any) -> Any:
            return Task(server=settings).server

        self.assertEqual(set(server()), {"seed"})
        self.assertEqual(server(seed=7), {"seed": 7})
        self.assertEqual(server(max_delay=9)["max_delay"], 9)
