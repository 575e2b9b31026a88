"""The suite, for trial and for pytest."""

from hypothesis import settings

# No example fails for being slow: what is slow on a busy machine is not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
