"""HTTP/1 as server, client and load all have it: RFC 9110 and 9112. Pure."""
