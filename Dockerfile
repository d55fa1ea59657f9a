# One image for every part; docker-compose.yml says which command it runs.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
COPY requirements.runtime.lock /src/
RUN /venv/bin/pip install --require-hashes -r /src/requirements.runtime.lock
COPY . /src
RUN /venv/bin/pip wheel --no-deps --wheel-dir /wheels /src && /venv/bin/pip install --no-deps /wheels/*.whl

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=mongoclaw_project.settings \
    MONGOCLAW_STATE_DIR=/var/lib/mongoclaw
RUN useradd --system --create-home --home-dir /var/lib/mongoclaw mongoclaw
COPY --from=build /venv /venv
USER mongoclaw
WORKDIR /var/lib/mongoclaw
EXPOSE 8000
CMD ["mongoclaw", "server", "api"]
