"""`python -m nbtwisted.server`."""

import sys

from nbtwisted.server.command import main

if __name__ == "__main__":
    sys.exit(main())
