"""The suite, for trial and for pytest."""

import warnings

from hypothesis import settings

# Pytest has an option for this, and trial's workers are not told of Python's.
warnings.simplefilter("error")

# No example fails for being slow: what is slow on a busy machine is not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
