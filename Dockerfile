# Two images; docker-compose.yml says which part runs what. `worker` has litellm, and the 37 packages that litellm
# brings along. `server` is for all other parts, which never call it.
#
#   docker build --target server --tag mongoclaw:2.0.0 .
#   docker build --target worker --tag mongoclaw-worker:2.0.0 .

FROM python:3.13-slim AS wheel
COPY . /src
RUN pip wheel --no-cache-dir --no-deps --build-constraint /src/requirements.lock --wheel-dir /wheels /src

FROM python:3.13-slim AS server-packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
COPY requirements.server.lock /src/
RUN /venv/bin/pip install --require-hashes -r /src/requirements.server.lock

FROM server-packages AS worker-packages
COPY requirements.runtime.lock /src/
RUN /venv/bin/pip install --require-hashes -r /src/requirements.runtime.lock
# What a call costs is told by the others too, from the table of prices alone.
RUN mkdir /prices \
    && cp /venv/lib/python3.13/site-packages/litellm/model_prices_and_context_window_backup.json /prices/

FROM server-packages AS server-venv
COPY --from=wheel /wheels /wheels
RUN /venv/bin/pip install --no-deps /wheels/*.whl
COPY --from=worker-packages /prices /venv/share/mongoclaw

FROM worker-packages AS worker-venv
COPY --from=wheel /wheels /wheels
RUN /venv/bin/pip install --no-deps /wheels/*.whl

FROM python:3.13-slim AS base
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=mongoclaw_project.settings \
    MONGOCLAW_STATE_DIR=/var/lib/mongoclaw
RUN groupadd --system --gid 10001 mongoclaw \
    && useradd --system --uid 10001 --gid mongoclaw --create-home --home-dir /var/lib/mongoclaw mongoclaw
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/mongoclaw

FROM base AS worker
COPY --from=worker-venv /venv /venv
EXPOSE 9090
CMD ["celery", "-A", "mongoclaw_project", "worker", "--without-gossip", "--without-mingle"]

FROM base AS server
COPY --from=server-venv /venv /venv
EXPOSE 8000
CMD ["mongoclaw", "server", "api"]
