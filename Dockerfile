# One image for the code location, the webserver and the daemon; compose.yaml says which is which.
# Nothing secret is in it: .dockerignore lets only the project's own files in, and the settings come when it runs.
FROM python:3.11-slim-bookworm AS packages
WORKDIR /opt/karvon
COPY requirements.lock deploy/requirements-celery.lock ./
# `--build-arg EXTRA=requirements-celery.lock` adds what workers on other machines need (docs/scale.md).
ARG EXTRA=
RUN python -m venv . \
    && bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r requirements.lock ${EXTRA:+-r $EXTRA}

FROM python:3.11-slim-bookworm
ENV PATH=/opt/karvon/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    KARVON_HOME=/var/lib/karvon
# The folder below is the volume of run logs: a volume takes the owner of the folder that it is mounted on.
RUN useradd --system --uid 10001 --home-dir /var/lib/karvon karvon \
    && mkdir -p /var/lib/karvon/live/dagster/storage \
    && chown -R karvon:karvon /var/lib/karvon
COPY --from=packages /opt/karvon /opt/karvon
WORKDIR /app
COPY . .
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation -e .
USER 10001
EXPOSE 3000
ENTRYPOINT ["python", "-m", "orchestration.instance"]
CMD ["dagster-webserver", "-h", "0.0.0.0", "-p", "3000", "-w", "deploy/workspace.yaml"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:3000/server_info', timeout=5)"]
