"""`nbtwisted ps PID`: what a Twisted program waits for. Loads no Twisted.

`target` reads in /proc what process that is, and whether it can be asked; `asking` asks
it, by its signal or, on Python 3.14 and newer, by `remote`; `tree` makes lines of what
it answers; `command` shows them. The other end is `nbtwisted.reactor.answering`.
"""
