# Small: some 55 MB on top of the base image, nothing to build with, nothing for accelerators. That was measured with what
# is installed here (python -m benchmarks.image); the image itself was not built yet.
#
# The daemon alone. Agents that run beside it need their programs in the same image: begin yours with FROM this one.
#
#   docker build -t selfheal .
#   docker run -v "$PWD/selfheal.toml:/app/selfheal.toml:ro" -v selfheal-data:/var/data selfheal
#
# Another verb than 'run --keeper' stands at the end: docker run … selfheal demo. In a container that runs:
# docker exec NAME selfheal status
#
# To reach the API from outside the container, add -p 8787:8787 -e SELFHEAL_LISTEN=0.0.0.0:8787 -e SELFHEAL_TOKEN=…

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN pip install --require-hashes -r requirements-build.lock \
    && pip wheel --require-hashes --wheel-dir /wheels -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY selfheal selfheal
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11-slim
LABEL org.opencontainers.image.title="selfheal" \
      org.opencontainers.image.description="One process that keeps a fleet of agents alive" \
      org.opencontainers.image.licenses="MIT"
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps --root-user-action=ignore /wheels/*.whl
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin selfheal \
    && install -d -o selfheal -g selfheal -m 0700 /var/data /app
# A folder below the volume: the root of a mounted disk belongs to the platform, which may refuse to let us protect it.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SELFHEAL_STATE_DIR=/var/data/selfheal
WORKDIR /app
USER 10001
VOLUME /var/data
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 CMD ["selfheal", "health"]
# tini is process 1: it passes signals on and buries orphans, whichever verb is run. The keeper below it starts the
# daemon again when that dies, while the agents run on.
ENTRYPOINT ["/usr/bin/tini", "--", "selfheal"]
CMD ["run", "--keeper"]
