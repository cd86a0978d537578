"""The bridge one writes first: read ten, publish one by one, archive one by one. The baseline, run as a process."""

import os
import time

import django
import redis
from celery import current_app
from django.db import connection

QUEUE = "probe_queue"


def main() -> None:
    """Drain for ever; whoever measures kills it."""
    django.setup()
    with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=10) as broker:
        broker.set("naive-is-ready", 1)
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT msg_id FROM pgmq.read(%s, 60, 10)", [QUEUE])
            ids = [msg_id for (msg_id,) in cursor.fetchall()]
        for msg_id in ids:
            current_app.send_task("probe.naive", args=[msg_id], queue="probe", ignore_result=True)
        if not ids:
            time.sleep(0.01)


if __name__ == "__main__":
    main()
