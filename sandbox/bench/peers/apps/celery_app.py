"""Bare Celery: on Redis with late acknowledgement, or on kombu's PGMQ transport. As a program, its producer."""

import os
import sys

import effect
from celery import Celery
from sender import serve

PGMQ = os.environ.get("PEER_BROKER") == "pgmq"
# A backlog that is sent once and copied for each round is sent to a queue that nobody works on.
QUEUE = os.environ.get("PEER_QUEUE", "peer")
LEASE = int(os.environ.get("PEER_LEASE", "0"))

app = Celery("celery_app", broker=os.environ["PEER_PGMQ_URL" if PGMQ else "PEER_REDIS_URL"])
options = {}
if LEASE:
    options["visibility_timeout"] = LEASE
if PGMQ:
    # Woken by NOTIFY instead of asking every 100 ms for ten seconds, and pgmq is there as SQL and not as an extension.
    options |= {"use_notify": True, "wait_time_seconds": 0, "init_extension": False}
app.conf.update(
    broker_transport_options=options,
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_default_queue=QUEUE,
    worker_hijack_root_logger=False,
)


@app.task(name="work")
def work(number, ms, write):
    effect.work(number, ms, write)


def _send(numbers, ms, write):
    with app.producer_or_acquire() as producer:
        for number in numbers:
            work.apply_async(args=[number, ms, write], producer=producer)


if __name__ == "__main__":
    if sys.argv[1:] == ["declare"]:
        with app.connection_for_write() as connection:
            app.amqp.queues[QUEUE].bind(connection.default_channel).declare()
    else:
        serve(_send)
