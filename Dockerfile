FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements.lock ./
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY platform platform
COPY ingest ingest
COPY geo geo
COPY dashboard dashboard
COPY simulators simulators
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --create-home --home-dir /var/lib/tsuji tsuji
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH TSUJI_HOME=/var/lib/tsuji
USER tsuji
ENTRYPOINT ["tsuji"]
