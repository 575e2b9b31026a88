"""Tests that block the reactor fail: under pytest, under trial, and case by case.

`listening` has what blocks it while a test runs. `in_pytest`, `fails_on_stall` (a case
of trial's) and `reporter` (of trial's, too) make failures of that.
"""
