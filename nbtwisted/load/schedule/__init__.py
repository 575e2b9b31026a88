"""When the requests of a run are due. Pure."""
