"""The load program: as many requests as are answered, or so many a second.

pacing      when each request is due                                 pure
response    bytes -> answers, of which nothing is kept               pure
series      how that went over time                                  pure
tally       what came of them: latencies, statuses, errors           pure
conditions  what makes a run a failure                               pure
connection  carries one request after another
worker      one of the connections of a run
running     a run: workers, kept busy or on time
report      what came of it, for people and for programs             pure
hgrm        percentiles as HdrHistogram's plotters read them         pure
progress    how it is doing, on a line that moves
options, command
"""
