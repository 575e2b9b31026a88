# The server and the client in one small image.
#
#   docker build -t nbtwisted .
#   docker run -p 127.0.0.1:8000:8000 nbtwisted python -m nbtwisted.server --listen tcp:8000
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /source
# No pip in what is handed on: the build's own pip installs into it from outside.
RUN python -m venv /pip && python -m venv --without-pip /opt/nbtwisted
COPY . .
RUN /pip/bin/python -m pip --python /opt/nbtwisted/bin/python install --no-cache-dir . \
    && /opt/nbtwisted/bin/python -m compileall -q /opt/nbtwisted/lib

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 1000 --no-create-home nbtwisted
COPY --from=build /opt/nbtwisted /opt/nbtwisted
ENV PATH=/opt/nbtwisted/bin:$PATH \
    PYTHONUNBUFFERED=1
USER nbtwisted
WORKDIR /tmp
EXPOSE 8000
# Every interface, because a container's loopback is only its own.
CMD ["python", "-m", "nbtwisted.server", "--listen", "tcp:8000"]
