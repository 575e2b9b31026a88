"""The README as a stranger follows it: an empty clone, `make run`, then every example.

`make readme` runs this. It installs from the package index, so it is not in the suite.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

from tests.pages import ROOT, blocks, mismatches
from tests.server.running import RunningServer
from tests.terminals import Terminals, behind_the_proxy, mismatches_in_order

PAGE, JAPANESE = "README.md", "README.ja.md"
"""Of the second, what it shows and the first does not is run, too: `tests/test_docs.py`
sees that they have the same commands."""


def main() -> int:
    """Returns the number of things that were not as the README says."""
    with tempfile.TemporaryDirectory() as folder:
        clone = pathlib.Path(folder, "nbtwisted")
        subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
        # Nothing of ours: no environment that is active, no module that is found.
        bare = {
            "HOME": os.environ["HOME"],
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
        }
        subprocess.run(["make", "run"], cwd=clone, env=bare, check=True)
        activated = {**bare, "PATH": f"{clone}/.venv/bin:{bare['PATH']}"}
        wrong = []
        os.chdir(clone)
        serve, twistd, serve_rules = (
            block.splitlines()[0].removeprefix("$ ")
            for block in blocks(PAGE, "text")
            if block.startswith(("$ nbtwisted serve", "$ twistd"))
        )
        (orders,) = (
            block.removeprefix("$ ")
            for block in blocks(PAGE, "text")
            if block.startswith("$ python examples/orders")
        )
        with RunningServer(
            ["sh", "-c", f"exec {twistd}".replace("tcp:8000", "tcp:0")], **activated
        ) as server:
            assert server.ask(b"GET /healthz HTTP/1.0\r\n\r\n")
        with RunningServer(
            ["sh", "-c", f"exec {serve}"], **activated, NBTWISTED_PORT="0"
        ) as server:
            wrong += mismatches(PAGE, server.port, activated, root=clone)
            wrong += mismatches(
                *(JAPANESE, server.port, activated), root=clone, besides=PAGE
            )
        # With what the page has installed by then.
        with RunningServer(
            ["sh", "-c", f"exec {serve_rules}".replace("8001", "0")], **activated
        ) as server:
            here = orders.replace("8001", str(server.port))
            command, _, expected = here.partition("\n")
            printed = subprocess.run(
                command,
                shell=True,
                env=activated,
                capture_output=True,
                text=True,
                check=False,
            ).stdout
            if printed != expected:
                wrong.append(f"{PAGE}: {command}\n{printed}")
        with Terminals(activated, root=clone, nbtwisted=["nbtwisted"]) as terminals:
            wrong += mismatches_in_order(
                *(behind_the_proxy(PAGE), terminals, activated),
                root=clone,
                run_too="$ nbtwisted get",
            )
    for mismatch in wrong:
        print(mismatch)
    examples = len({*blocks(PAGE, "console"), *blocks(JAPANESE, "console")})
    print(f"readme: {examples - len(wrong)} of {examples} examples print what it says")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
