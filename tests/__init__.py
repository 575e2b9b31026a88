"""The suite, for trial and for pytest."""

import os
import re
import resource
import signal
import warnings

from hypothesis import settings

# What people set for themselves, and programs heed: tests that mean it set it.
_PEOPLES_OWN = re.compile(
    r"(.*_)?PROXY|(NO|FORCE|CLI)_?COLOR(_FORCE)?|COLUMNS|LINES|SSLKEYLOGFILE"
    r"|PYTHONWARNINGS|NBTWISTED_(?!CHANNEL|CLOCK|EXAMPLES|MEMOS|PICTURES).*",
    re.IGNORECASE,
)
# Once: what a test sets for a process is for that process, whatever it imports.
if "NBTWISTED_TESTS" not in os.environ:
    for _name in list(os.environ):
        if _PEOPLES_OWN.fullmatch(_name):
            del os.environ[_name]
    os.environ["TERM"] = "xterm"
    os.environ["NBTWISTED_TESTS"] = "running"
    # Behind nohup and in the background these are ignored, which programs inherit; a
    # handler they do not.
    for _number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(_number) is signal.SIG_IGN:
            signal.signal(_number, lambda *_: None)

# Most systems allow 1,024 open files, and more to those who ask.
_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))

# Pytest has an option for this, and trial's workers are not told of Python's.
warnings.simplefilter("error")


_PART_OF_EXAMPLES = {"few": 0.25, "all": 1, "many": 10}


def examples(number: int) -> int:
    """So many examples of a property, as long as NBTWISTED_EXAMPLES is "all".

    Of "few", which is what it is if nobody says, there are a quarter: the suite runs
    twice, and once more on each other Python; `make properties` takes all. "many" are
    ten times as many, for those who look for what is wrong for one in a thousand.
    """
    told = os.environ.get("NBTWISTED_EXAMPLES", "few")
    if told not in _PART_OF_EXAMPLES:
        expected = " or ".join(_PART_OF_EXAMPLES)
        raise SystemExit(f"NBTWISTED_EXAMPLES: {told!r}: expected {expected}")
    return max(int(number * _PART_OF_EXAMPLES[told]), 1)


# No example fails for being slow: what is slow on a busy machine is not wrong.
settings.register_profile("untimed", deadline=None, max_examples=examples(100))
settings.load_profile("untimed")
