"""Recordings: a HAR as rules."""
