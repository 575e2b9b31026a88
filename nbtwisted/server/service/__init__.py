"""What runs until a signal, and what operators tell it: `serve`, and what is like it.

options.py   where it listens, its rules, its limits
service.py   `Service`: the server with its rules and its log; drains before it stops
opening.py   ports that open, or the sentence that says why one does not
running.py   the reactor's run, from the first line on stderr to the exit code
"""
