"""`nbtwisted trace`: any Twisted program, on the reactor that it asks for, traced."""
