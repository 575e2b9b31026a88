"""`python -m nbtwisted.proxy`."""

import sys

from nbtwisted.command_line import end_quietly_when_interrupted
from nbtwisted.reactor.choosing import choose

if __name__ == "__main__":
    end_quietly_when_interrupted()
    choose(sys.argv[1:])

    from nbtwisted.proxy.command import main

    sys.exit(main())
