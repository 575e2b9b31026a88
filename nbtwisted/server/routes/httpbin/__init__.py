"""The paths of httpbin and go-httpbin, as their callers know them.

To import its modules is to add their paths.
"""

from nbtwisted.server.routes.httpbin import (  # noqa: F401
    authentication,
    caching,
    cookies,
    digest,
    documents,
    encodings,
    generating,
    images,
    inspecting,
    redirects,
    streams,
)
