"""The words of which judges are made: each is a check of one measure. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from nbtwisted.study.run import Request, Run
from nbtwisted.study.task import Check, Finding, last_line
from nbtwisted.study.text import Text

__all__ = [
    "answers",
    "called",
    "calls",
    "descriptors",
    "lingers",
    "memory",
    "prints",
    "processes",
    "processor",
    "requests",
    "seen",
    "spans",
    "takes",
    "threads",
    "together",
]

MEGABYTE = 1_000_000

_ALSO = {
    name: names
    for names in (
        ("epoll_wait", "epoll_pwait"),
        ("poll", "ppoll"),
        ("select", "pselect6"),
        ("accept", "accept4"),
        ("pipe", "pipe2"),
        ("clone", "clone3"),
        ("wait4", "waitid"),
    )
    for name in names
}
"""The names of what does the same, by each of them."""

# What the server saw.


def answers(
    exactly: int | None = None,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    status: int | None = 200,
    target: str = "/",
) -> Check:
    """So many requests got a whole response, of that status (None: of any).

    Only requests whose target begins with `target` count.
    """
    at_least, at_most = _both(exactly, at_least, at_most)
    of = Text("", "") if status is None else Text(f" with {status}", f" ({status})")
    where = Text("", "") if target == "/" else Text(f" to {target}", f" ({target}) ")

    def check(run: Run) -> Finding:
        found = [
            request
            for request in run.answered
            if request.target.startswith(target) and status in (None, request.status)
        ]
        number = _so_many_requests(at_least, at_most)
        return Finding(
            _is_between(len(found), at_least, at_most),
            Text(
                f"the server answers {number.en}{where.en}{of.en}",
                f"サーバが {number.ja}のリクエスト{where.ja}に応答する{of.ja}",
            ),
            _what_came(run.requests, len(found)),
        )

    return check


def requests(
    exactly: int | None = None,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    target: str = "/",
) -> Check:
    """So many requests came, however they ended."""
    at_least, at_most = _both(exactly, at_least, at_most)
    where = Text("", "") if target == "/" else Text(f" to {target}", f" ({target}) ")

    def check(run: Run) -> Finding:
        found = [r for r in run.requests if r.target.startswith(target)]
        number = _so_many_requests(at_least, at_most)
        return Finding(
            _is_between(len(found), at_least, at_most),
            Text(
                f"the program sends {number.en}{where.en}",
                f"プログラムが {number.ja}のリクエスト{where.ja}を送る",
            ),
            _what_came(run.requests, len(found)),
        )

    return check


def _so_many_requests(at_least: int | None, at_most: int | None) -> Text:
    number = _between(at_least, at_most, counter=" 件")
    one = number.en.split()[-1] == "1"
    return Text(f"{number.en} {'request' if one else 'requests'}", number.ja)


def _what_came(came: Sequence[Request], found: int) -> Text:
    if not came:
        return Text("no request came", "リクエストは 1 件も来ませんでした")
    ends: dict[str, int] = {}
    for request in came:
        end = str(request.status or request.fault or "-")
        if request.outcome != "answered":
            end += f" {request.outcome}"
        ends[end] = ends.get(end, 0) + 1
    listed = ", ".join(f"{number} × {end}" for end, number in ends.items())
    return Text(
        f"{found} did; {len(came)} came in all ({listed})",
        f"{found} 件でした。届いたのは全部で {len(came)} 件です ({listed})",
    )


def together(
    exactly: int | None = None,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
) -> Check:
    """So many requests were in flight at once, at the most."""
    at_least, at_most = _both(exactly, at_least, at_most)
    return _count(
        lambda run: run.together,
        at_least,
        at_most,
        Text(
            "the most requests in flight at once: {}",
            "同時に待つリクエストの最大数: {}",
        ),
    )


# What it cost.


def takes(*, above: float | None = None, below: float | None = None) -> Check:
    """The program runs for so many seconds, from its beginning to its end."""
    return _measure(
        lambda run: run.seconds,
        above,
        below,
        Text("the program takes {}", "かかる時間: {}"),
        Text("{:.1f} s", "{:.1f} 秒"),
    )


def spans(*, above: float | None = None, below: float | None = None) -> Check:
    """All requests take so many seconds, from the first that came to the last's end.

    A slow start of the program does not count.
    """
    return _measure(
        lambda run: _last_end(run) - min((r.came for r in run.requests), default=0.0),
        above,
        below,
        Text("all requests take {} together", "すべてのリクエストにかかる時間: {}"),
        Text("{:.1f} s", "{:.1f} 秒"),
    )


def lingers(*, below: float) -> Check:
    """The program goes on for so many seconds after its last request has ended."""
    return _measure(
        lambda run: run.seconds - _last_end(run),
        None,
        below,
        Text(
            "the program ends {} after its last request has",
            "最後のリクエストが終わってからプログラムが終わるまでの時間: {}",
        ),
        Text("{:.1f} s", "{:.1f} 秒"),
    )


def _last_end(run: Run) -> float:
    return max(map(run.end_of, run.requests), default=0.0)


def processor(*, above: float | None = None, below: float | None = None) -> Check:
    """It uses such a share of one processor: 1 is all that others leave to it."""
    return _measure(
        lambda run: 100 * run.share,
        above and 100 * above,
        below and 100 * below,
        Text("it uses {} of a processor's time", "プロセッサを使う割合: {}"),
        Text("{:.0f}%", "{:.0f}%"),
    )


def memory(*, above: float | None = None, below: float | None = None) -> Check:
    """It has so many megabytes in memory at the most."""
    return _measure(
        lambda run: run.memory / MEGABYTE,
        above,
        below,
        Text("its memory at the most: {}", "メモリの最大値: {}"),
        Text("{:.0f} MB", "{:.0f} MB"),
    )


def threads(
    exactly: int | None = None,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
) -> Check:
    """It has so many threads at the most, in all its processes."""
    return _count(
        lambda run: run.threads if run.samples else None,
        *_both(exactly, at_least, at_most),
        Text("the most threads at once: {}", "同時に動くスレッドの最大数: {}"),
    )


def processes(
    exactly: int | None = None,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
) -> Check:
    """It is so many processes at the most."""
    return _count(
        lambda run: run.processes if run.samples else None,
        *_both(exactly, at_least, at_most),
        Text("the most processes at once: {}", "同時に動くプロセスの最大数: {}"),
    )


def descriptors(
    exactly: int | None = None,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
) -> Check:
    """It has so many files and sockets open at the most; stdin to stderr are three."""
    return _count(
        lambda run: run.descriptors if run.samples else None,
        *_both(exactly, at_least, at_most),
        Text(
            "the most descriptors open at once: {}",
            "同時に開くディスクリプタの最大数: {}",
        ),
    )


def calls(
    name: str,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    error: str | None = None,
) -> Check:
    """It makes a system call so often; with `error`, that is how often it fails so.

    Without either number, at least once. Names count as `called` has it.
    """
    if at_least is None and at_most is None:
        at_least = 1
    what = f"{name}: {error}" if error else name

    return _count(
        lambda run: called(run, name, error),
        at_least,
        at_most,
        Text(f"calls of {what}: {{}}", f"{what} の呼び出し回数: {{}}"),
    )


def called(run: Run, name: str, error: str | None = None) -> int | None:
    """How often a run made a system call; with `error`, how often it failed so.

    None where nobody could count. A call that machines make by several names counts by
    all: `epoll_pwait` is an `epoll_wait`, `clone3` a `clone`.
    """
    if run.calls is None:
        return None
    made = [run.calls[n] for n in _ALSO.get(name, (name,)) if n in run.calls]
    if error is None:
        return sum(of_name.count for of_name in made)
    if any(of_name.errors is None for of_name in made):
        return None
    return sum((of_name.errors or {}).get(error, 0) for of_name in made)


# What else.


def prints(pattern: str, expected: Text) -> Check:
    """It prints something that matches, anywhere, in a line or in several."""

    def check(run: Run) -> Finding:
        last = last_line(run.stdout)
        return Finding(
            re.search(pattern, run.stdout, re.MULTILINE) is not None,
            expected,
            Text(
                f"the last line that it printed is {last!r}",
                f"最後に表示した行は {last!r} です",
            )
            if last
            else Text("it printed nothing", "何も表示しませんでした"),
        )

    return check


def seen(expected: Text, look: Callable[[Run], Text | None]) -> Check:
    """Anything else: `look` says what was seen instead, or returns None."""

    def check(run: Run) -> Finding:
        found = look(run)
        return Finding(found is None, expected, found or expected)

    return check


def _count(
    value: Callable[[Run], int | None],
    at_least: int | None,
    at_most: int | None,
    what: Text,
) -> Check:
    def check(run: Run) -> Finding | None:
        found = value(run)
        if found is None:
            return None
        number = _between(at_least, at_most)
        return Finding(
            _is_between(found, at_least, at_most),
            Text(what.en.format(number.en), what.ja.format(number.ja)),
            Text(f"{found:,}", f"{found:,}"),
        )

    return check


def _measure(
    value: Callable[[Run], float],
    above: float | None,
    below: float | None,
    what: Text,
    unit: Text,
) -> Check:
    def check(run: Run) -> Finding:
        found = value(run)
        en, ja = unit.en.format, unit.ja.format

        def ja_with(measure: float, word: str) -> str:
            # A blank stands beside Latin letters, and not between Japanese ones.
            return f"{ja(measure)} {word}".replace("秒 ", "秒")

        if above is not None and below is not None:
            expected = Text(
                f"between {en(above)} and {en(below)}", f"{ja(above)}〜{ja(below)}"
            )
        elif above is not None:
            expected = Text(f"more than {en(above)}", ja_with(above, "より多い"))
        else:
            assert below is not None, "a measure has a bound"
            expected = Text(f"less than {en(below)}", ja_with(below, "未満"))
        return Finding(
            (above is None or found > above) and (below is None or found < below),
            Text(what.en.format(expected.en), what.ja.format(expected.ja)),
            Text(en(found), ja(found)),
        )

    return check


def _both(
    exactly: int | None, at_least: int | None, at_most: int | None
) -> tuple[int | None, int | None]:
    return (at_least, at_most) if exactly is None else (exactly, exactly)


def _is_between(found: int, at_least: int | None, at_most: int | None) -> bool:
    return (at_least is None or found >= at_least) and (
        at_most is None or found <= at_most
    )


def _between(at_least: int | None, at_most: int | None, counter: str = "") -> Text:
    """The range; `counter` is the Japanese word behind a number."""
    if at_least == at_most and at_least is not None:
        return Text(f"{at_least:,}", f"{at_least:,}{counter}")
    if at_most is None:
        assert at_least is not None, "a count has a bound"
        return Text(f"at least {at_least:,}", f"{at_least:,}{counter or ' '}以上")
    if at_least is None:
        return Text(f"at most {at_most:,}", f"{at_most:,}{counter or ' '}以下")
    return Text(f"{at_least:,} to {at_most:,}", f"{at_least:,}〜{at_most:,}{counter}")
