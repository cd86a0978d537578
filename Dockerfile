FROM python:3.11-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

# Apart from the code, so that a change of code does not install everything again.
COPY requirements.txt /build/
# Nothing is built here but YooKassa's client, which is plain Python and comes as source only.
RUN pip install --require-hashes --only-binary :all: --no-binary yookassa -r /build/requirements.txt

WORKDIR /app
COPY . .
# The settings want an address and a key for everything they name. Nothing is connected to here, and none of these
# values stays in the image: they last for this one command.
RUN SECRET_KEY=only-for-collecting-static-files-at-build \
    DATABASE_URL=postgres://build@127.0.0.1/build \
    REDIS_URL=redis://127.0.0.1/0 \
    SMTP_HOST=127.0.0.1 SMTP_FROM=build@example.org LOG_DIR=/tmp/logs \
    python manage.py collectstatic --noinput \
 && rm requirements.txt \
 && python -m compileall -q .


FROM python:3.11-slim-bookworm

# WeasyPrint sets the reports with them.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
 && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 balansity \
 && useradd --system --uid 10001 --gid balansity --home-dir /app --no-create-home --shell /usr/sbin/nologin balansity

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# A new volume takes the owner of the folder that it is mounted on.
RUN install -d -m 750 -o balansity -g balansity /app/logs /app/files

ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# The container's own network is the wall here: Compose publishes the port on 127.0.0.1 alone.
ENV API_HOST=0.0.0.0
WORKDIR /app
USER balansity
EXPOSE 3001
CMD ["gunicorn"]
