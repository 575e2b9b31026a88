"""`seldom.py SCRIPT ARGUMENTS`: runs it, its garbage collected seldom."""

import gc
import runpy
import sys

gc.set_threshold(70_000, 20, 100)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
