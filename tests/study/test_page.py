"""A page, filled in with what a run was."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study.page import Fence, figures, filled, joined
from nbtwisted.study.run import Calls
from tests.study.runs import a_request, a_run


def content(fence: Fence) -> str:
    return f"<{fence}>"


class FilledTests(SynchronousTestCase):
    def test_figures(self) -> None:
        page = "It took {{seconds}}, {{ seconds }} with {{calls.read}}."
        self.assertEqual(
            filled(page, {"seconds": "3.00 s", "calls.read": "7"}, content),
            "It took 3.00 s, 3.00 s with 7.",
        )

    def test_a_figure_with_a_name_of_its_own(self) -> None:
        page = "{{printed.bytes sent-so far}} {{errors.recvfrom.EAGAIN}}"
        values = {"printed.bytes sent-so far": "9", "errors.recvfrom.EAGAIN": "4"}
        self.assertEqual(filled(page, values, content), "9 4")

    def test_an_unknown_figure(self) -> None:
        with self.assertRaises(LookupError) as caught:
            filled("{{secnds}}", {"seconds": "3", "user": "4"}, content)
        said = str(caught.exception)
        self.assertIn("{{secnds}}: expected one of seconds, user", said)

    def test_fences(self) -> None:
        page = "```program\n```\na\n```picture\n```\n```output\n```\n"
        expected = "<program>\na\n<picture>\n<output>\n"
        self.assertEqual(filled(page, {}, content), expected)

    def test_fences_that_are_not_to_be_filled_in(self) -> None:
        for page in (
            "```python\nprogram\n```",
            "```text\n```",
            "```program\nx\n```",
            " ```program\n```",
            "````program\n````",
            "`program`",
        ):
            self.assertEqual(filled(page, {}, content), page)

    def test_what_is_filled_in_is_not_looked_at_again(self) -> None:
        def program(_: Fence) -> str:
            return "print({{seconds}})"

        self.assertEqual(filled("```program\n```", {}, program), "print({{seconds}})")
        values = {"printed.a": r"\1 {{b}}"}
        self.assertEqual(filled("{{printed.a}}", values, content), r"\1 {{b}}")


class FiguresTests(SynchronousTestCase):
    def test_of_requests(self) -> None:
        values = figures(a_run(), "en")
        names = ("seconds", "in_turn", "requests", "answers", "errors", "together")
        self.assertEqual(
            [values[name] for name in names], ["3.00 s", "11.00 s", "5", "5", "0", "5"]
        )
        self.assertEqual(values["program_seconds"], "3.10 s")

    def test_of_the_processor(self) -> None:
        values = figures(a_run(seconds=3.1, user=0.04, system=0.3), "en")
        names = ("user", "system", "processor", "waiting")
        self.assertEqual(
            [values[name] for name in names], ["40 ms", "0.30 s", "0.34 s", "2.76 s"]
        )

    def test_of_samples(self) -> None:
        values = figures(a_run(), "en")
        names = ("threads", "processes", "memory", "descriptors")
        self.assertEqual([values[name] for name in names], ["1", "1", "14 MB", "9"])

    def test_units_are_of_the_language(self) -> None:
        values = figures(a_run(), "ja")
        self.assertEqual(values["seconds"], "3.00 秒")
        self.assertEqual(values["user"], "40 ミリ秒")

    def test_of_calls(self) -> None:
        calls = {"recvfrom": Calls(12_345, {"EAGAIN": 12_000}), "read": Calls(1, None)}
        values = figures(a_run(calls=calls), "en")
        self.assertEqual(values["calls.recvfrom"], "12,345")
        self.assertEqual(values["errors.recvfrom.EAGAIN"], "12,000")
        self.assertEqual(values["calls.read"], "1")
        self.assertNotIn("calls.recvfrom", figures(a_run(), "en"))

    def test_of_errors(self) -> None:
        requests = [a_request(1), a_request(2, outcome="broken", fault="reset")]
        values = figures(a_run(requests), "en")
        self.assertEqual((values["answers"], values["errors"]), ("1", "1"))

    def test_of_what_was_printed(self) -> None:
        run = a_run(stdout="sum: 7 \nnot this\nbytes sent: 9 kB: much\nsum: 8\n:x\n")
        printed = {k: v for k, v in figures(run, "en").items() if "printed" in k}
        # The first of a name counts.
        self.assertEqual(
            printed, {"printed.sum": "7", "printed.bytes sent": "9 kB: much"}
        )

    def test_of_a_run_in_which_nothing_came(self) -> None:
        values = figures(a_run([], samples=()), "en")
        self.assertEqual((values["requests"], values["together"]), ("0", "0"))


class JoinedTests(SynchronousTestCase):
    def joins(self, page: str, expected: str) -> None:
        self.assertEqual(joined(page), expected)

    def test_sentences_of_a_paragraph(self) -> None:
        self.joins("一つ。\n二つ。\n三つ。\n", "一つ。二つ。三つ。\n")
        self.joins("一つ。\n`recv` は待つ。", "一つ。`recv` は待つ。")
        self.joins("一つ。\nrecv は待つ。", "一つ。recv は待つ。")
        self.joins("一つ。\n**太字**", "一つ。**太字**")

    def test_paragraphs_stay_apart(self) -> None:
        page = "# 1. 題\n\n一つ。\n\n二つ。\n"
        self.joins(page, page)

    def test_latin_text_keeps_its_blank(self) -> None:
        self.joins("one.\ntwo.", "one.\ntwo.")
        self.joins("select\nと epoll", "select\nと epoll")

    def test_lists_stay_lists(self) -> None:
        for page in ("次の三つ。\n- 一つ\n- 二つ", "次の三つ。\n1. 一つ\n2. 二つ"):
            self.joins(page, page)
        self.joins("- 一つ。\n  続き。\n- 二つ。", "- 一つ。続き。\n- 二つ。")

    def test_hints(self) -> None:
        self.joins("> 一つ。\n> 二つ。\n", "> 一つ。二つ。\n")

    def test_a_fence_stays_as_it_is(self) -> None:
        page = "一つ。\n\n```text\n一行\n二行\n```\n\n一つ。\n"
        self.joins(page, page)

    def test_a_fence_after_a_line(self) -> None:
        page = "次のとおり。\n```python\n# 一行\n# 二行\n```\n一つ。"
        self.joins(page, page)

    def test_headings_and_tables(self) -> None:
        self.joins("## 題\n一つ。\n二つ。", "## 題\n\n一つ。二つ。")
        page = "一つ。\n\n| 名前 |\n|---|\n| 値 |\n| 値 |\n"
        self.joins(page, page)
