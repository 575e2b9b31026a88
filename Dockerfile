# The server and the client in one image, which can also be a cluster's scheduler or worker.
#
#   docker build -t nbtwisted .
#   docker run --rm -p 127.0.0.1:8000:8000 --stop-timeout 35 nbtwisted
#   docker run --rm --network host nbtwisted get --timeline http://127.0.0.1:8000/delay/1
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
# No pip in what is handed on: the build's own pip installs into it from outside.
RUN python -m venv /pip && python -m venv --without-pip /opt/nbtwisted
# What it depends on, in a layer that a change of the source leaves as it is. In a folder
# of its own: a build that finds an older one's files keeps them.
WORKDIR /dependencies
COPY setup.cfg pyproject.toml ./
RUN mkdir nbtwisted docs \
    && echo '__version__ = "0"' >nbtwisted/__init__.py \
    && touch docs/description.md LICENSE \
    && /pip/bin/python -m pip --python /opt/nbtwisted/bin/python install --no-cache-dir '.[cluster]'
WORKDIR /source
COPY . .
RUN /pip/bin/python -m pip --python /opt/nbtwisted/bin/python install --no-cache-dir --no-deps . \
    && /opt/nbtwisted/bin/python -m compileall -q /opt/nbtwisted/lib

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 1000 --no-create-home nbtwisted
COPY --from=build /opt/nbtwisted /opt/nbtwisted
ENV PATH=/opt/nbtwisted/bin:$PATH \
    PYTHONUNBUFFERED=1
USER nbtwisted
WORKDIR /tmp
EXPOSE 8000
# Of the server on its default port; who listens elsewhere says --no-healthcheck. Docker
# hands on the proxy that it was told of, which knows no such address.
HEALTHCHECK --interval=5s --timeout=3s --retries=5 \
    CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["nbtwisted"]
# Every interface, because a container's loopback is only its own.
CMD ["serve", "--listen", "tcp:8000"]
