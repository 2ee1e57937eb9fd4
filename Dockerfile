# Auditor on a CPU. The image holds no configuration and no secret: mount a folder with a
# config.yaml at /work, where the ledger, the cache and the reports are written too.
#
#   docker build --tag auditor .
#   docker run --rm --volume "$PWD:/work" --env MLFLOW_TRACKING_URI auditor once
#   docker run --stop-timeout 45 --volume "$PWD:/work" --env MLFLOW_TRACKING_URI auditor
#
# Without a command it serves. For others to reach it, server.host has to be 0.0.0.0 and
# server.tokens a file; see docs/operations.md.
FROM python:3.11-slim-bookworm

# Passed on to pip: where packages come from, such as a mirror or PyTorch's CPU index.
ARG PIP_INDEX_ARGS=""
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

# The largest part first, so that a change of our own code does not fetch it again.
WORKDIR /opt/auditor
COPY constraints.txt ./
RUN python -m pip install ${PIP_INDEX_ARGS} --constraint constraints.txt torch

COPY pyproject.toml README.md LICENSE ./
COPY auditor auditor
COPY templates templates
RUN python -m pip install ${PIP_INDEX_ARGS} --constraint constraints.txt .

RUN useradd --create-home --uid 10001 auditor && install --directory --owner auditor /work
USER auditor
WORKDIR /work
COPY config.yaml ./

EXPOSE 8765
HEALTHCHECK --interval=1m --timeout=10s --start-period=30s CMD ["python", "-c", \
    "import http.client as web; door = web.HTTPConnection('127.0.0.1', 8765, timeout=5); \
    door.request('GET', '/healthz'); door.getresponse().status == 200 or exit(1)"]
ENTRYPOINT ["auditor"]
CMD ["serve"]
