"""`python -m nbtwisted.client`, and with `--part` a part of a run on a worker."""

import sys

from nbtwisted.command_line import end_quietly_when_interrupted
from nbtwisted.reactor.choosing import choose

if __name__ == "__main__":
    end_quietly_when_interrupted()
    choose(sys.argv[1:])

    if sys.argv[1:2] == ["--part"]:
        from nbtwisted.client.running.part import main
    else:
        from nbtwisted.client.command import main

    main()
