"""`python -m nbtwisted.server`."""

import sys

from nbtwisted.command_line import end_quietly_when_interrupted

if __name__ == "__main__":
    end_quietly_when_interrupted()

    from nbtwisted.server.command import main

    sys.exit(main())
