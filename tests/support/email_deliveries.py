"""Messages of the mail queue, delivered as the worker's child does it, without the bridge and the broker between."""

from typing import Any

from celery.exceptions import Retry
from django.conf import settings
from django.db import connection

from bridge.errors import PermanentError
from bridge.message import Delivery, Message
from bridge.pgmq import PgmqQueue, pgmq_queue
from notifications.errors import DeliveryDeferred
from notifications.models import EmailMessage
from notifications.queue import QUEUE
from notifications.tasks import send_email
from tests.support.email_samples import message_body


def email_queue() -> PgmqQueue:
    return pgmq_queue(QUEUE)


def enqueue(template: str, *, to: str = "parent@example.org", **variables: Any) -> int:
    return email_queue().send(message_body(template, to=to, **variables))


def read_one(msg_id: int) -> Delivery:
    """Read this message, due or not."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() + interval '1 hour' WHERE msg_id <> %s", [msg_id])
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() - interval '1 second' WHERE msg_id = %s", [msg_id])
    (delivery,) = email_queue().read(limit=1, lease=settings.BRIDGE_DISPATCH_LEASE)
    return delivery


def claim(msg_id: int) -> Message:
    """Start an attempt, as the task does before its handler runs."""
    delivery = read_one(msg_id)
    attempts = delivery.history.attempts + 1
    claimed = email_queue().claim(delivery.token, lease=60, attempts=attempts, trace_id="0123456789abcdef")
    assert claimed is not None
    return claimed


def attempt(msg_id: int) -> EmailMessage:
    """Run one attempt of the message, however it ends, and return its row."""
    delivery = read_one(msg_id)
    send_email.push_request(id=f"test-{msg_id}", retries=delivery.history.attempts, called_directly=False)
    try:
        send_email(QUEUE, msg_id, delivery.token.vt.isoformat(), "0123456789abcdef")
    except (Retry, PermanentError, DeliveryDeferred):
        pass
    finally:
        send_email.pop_request()
    return row_of(msg_id)


def row_of(msg_id: int) -> EmailMessage:
    return EmailMessage.objects.get(queue=QUEUE, msg_id=msg_id)


def outcome_of(msg_id: int) -> tuple[str, str | None]:
    """Outcome and reason in the archive."""
    history = email_queue().archived_history(msg_id)
    assert history is not None, f"{msg_id} is not in the archive"
    return history["outcome"], history.get("reason")
