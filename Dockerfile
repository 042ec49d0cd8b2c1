# Three images of one installation: api (serves, without TensorFlow), worker (stream, sources, Beam workers), trainer (all jobs).
# A release passes BASE with its digest and records it in the labels (docs/release.md).
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    SOURCE_DATE_EPOCH=0 \
    UV_COMPILE_BYTECODE=1 \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never \
    UV_SYSTEM_CERTS=1
WORKDIR /build
COPY .ci/build-requirements.txt ./
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --quiet --require-hashes --requirement build-requirements.txt \
 && python3 -m venv --without-pip /opt/gridcast
ENV PATH=/opt/build/bin:$PATH
COPY pyproject.toml uv.lock ./

FROM build AS package
COPY LICENSE README.md ./
COPY src src
RUN uv build --quiet --wheel --no-build-isolation --out-dir dist . \
 && pip --python /opt/gridcast/bin/python install --no-cache-dir --quiet --no-deps --no-index --no-compile dist/*.whl \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/gridcast/lib

FROM build AS api-packages
RUN uv export --quiet --frozen --no-dev --no-emit-project --extra api --extra postgres --extra telemetry \
      --prune apache-beam --prune confluent-kafka --prune keras --prune matplotlib --prune mlflow-skinny --prune optuna \
      --prune paho-mqtt --prune tensorflow --prune tensorflow-cpu --output-file packages.txt \
 && uv pip install --quiet --python /opt/gridcast/bin/python --no-deps --require-hashes --requirement packages.txt

FROM build AS worker-packages
RUN uv export --quiet --frozen --no-dev --no-emit-project --extra entsoe --extra iso --extra postgres --extra telemetry \
      --prune matplotlib --prune optuna --output-file packages.txt \
 && uv pip install --quiet --python /opt/gridcast/bin/python --no-deps --require-hashes --requirement packages.txt

FROM build AS trainer-packages
RUN uv export --quiet --frozen --no-dev --no-emit-project --extra entsoe --extra iso --extra postgres --extra telemetry \
      --output-file packages.txt \
 && uv pip install --quiet --python /opt/gridcast/bin/python --no-deps --require-hashes --requirement packages.txt

FROM ${BASE} AS runtime
ARG BASE
ARG REVISION=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="gridcast" \
      org.opencontainers.image.description="Dynamic energy demand prediction for utilities" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
RUN echo 'gridcast:x:10001:10001::/tmp:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'gridcast:x:10001:' >> /etc/group \
 && install --directory --owner=10001 --group=10001 --mode=0750 /data /keys
ENV GRIDCAST_APP__DATA_DIR=/data \
    HOME=/tmp \
    PATH=/opt/gridcast/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
COPY config config
USER 10001:10001
VOLUME ["/data"]

FROM runtime AS worker
COPY --from=worker-packages /opt/gridcast /opt/gridcast
COPY --from=package /opt/gridcast /opt/gridcast
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s CMD ["gridcast", "status"]
CMD ["gridcast", "stream", "--live"]

FROM runtime AS trainer
COPY --from=trainer-packages /opt/gridcast /opt/gridcast
COPY --from=package /opt/gridcast /opt/gridcast
CMD ["gridcast", "retrain"]

FROM runtime AS api
COPY --from=api-packages /opt/gridcast /opt/gridcast
COPY --from=package /opt/gridcast /opt/gridcast
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/v1/health', timeout=4)"]
CMD ["gridcast", "serve"]
