"""Carries a behaviour out: draws, waits, sends, and keeps the journal."""
