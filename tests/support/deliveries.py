"""One message of any queue, delivered as the worker's child does it, without the bridge and the broker between."""

from contextlib import suppress
from typing import Any

from celery.exceptions import Retry
from django.conf import settings
from django.db import connection

from bridge.errors import PermanentError
from bridge.message import Delivery, Message
from bridge.pgmq import pgmq_queue

TRACE_ID = "0123456789abcdef"


def read_one(queue: str, msg_id: int) -> Delivery:
    """Read this message, due or not; what others own stays theirs."""
    with connection.cursor() as cursor:
        hide = (
            f"UPDATE pgmq.q_{queue} SET vt = now() + interval '1 hour' WHERE msg_id <> %s AND vt <= clock_timestamp()"
        )
        cursor.execute(hide, [msg_id])
        cursor.execute(f"UPDATE pgmq.q_{queue} SET vt = now() - interval '1 second' WHERE msg_id = %s", [msg_id])
    (delivery,) = pgmq_queue(queue).read(limit=1, lease=settings.BRIDGE_DISPATCH_LEASE)
    return delivery


def claim(queue: str, msg_id: int) -> Message:
    """Start an attempt, as the task does before its handler runs."""
    delivery = read_one(queue, msg_id)
    attempts = delivery.history.attempts + 1
    claimed = pgmq_queue(queue).claim(delivery.token, lease=60, attempts=attempts, trace_id=TRACE_ID)
    assert claimed is not None
    return claimed


def run(task: Any, delivery: Delivery) -> None:
    """Run the task of a delivery that was read; raises what Celery would see."""
    task.push_request(id=f"test-{delivery.msg_id}", retries=delivery.history.attempts, called_directly=False)
    try:
        task(delivery.queue, delivery.msg_id, delivery.token.vt.isoformat(), TRACE_ID)
    finally:
        task.pop_request()


def attempt(task: Any, msg_id: int, *ends_with: type[Exception]) -> None:
    """Run one attempt of the task of a queue, however it ends; `ends_with` are errors of the last one besides."""
    with suppress(Retry, PermanentError, *ends_with):
        run(task, read_one(task.pgmq_queue, msg_id))


def outcome_of(queue: str, msg_id: int) -> tuple[str, str | None]:
    """Outcome and reason in the archive."""
    history = pgmq_queue(queue).archived_history(msg_id)
    assert history is not None, f"{msg_id} is not in the archive"
    return history["outcome"], history.get("reason")
