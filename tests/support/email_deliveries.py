"""Messages of the mail queue, delivered as the worker's child does it, without the bridge and the broker between."""

from typing import Any

from bridge.message import Delivery, Message
from bridge.pgmq import PgmqQueue, pgmq_queue
from notifications.errors import DeliveryDeferred
from notifications.models import EmailMessage
from notifications.queue import QUEUE
from notifications.tasks import send_email
from tests.support import deliveries
from tests.support.email_samples import message_body


def email_queue() -> PgmqQueue:
    return pgmq_queue(QUEUE)


def enqueue(template: str, *, to: str = "parent@example.org", **variables: Any) -> int:
    return email_queue().send(message_body(template, to=to, **variables))


def read_one(msg_id: int) -> Delivery:
    """Read this message, due or not."""
    return deliveries.read_one(QUEUE, msg_id)


def claim(msg_id: int) -> Message:
    return deliveries.claim(QUEUE, msg_id)


def attempt(msg_id: int) -> EmailMessage:
    """Run one attempt of the message, however it ends, and return its row."""
    deliveries.attempt(send_email, msg_id, DeliveryDeferred)
    return row_of(msg_id)


def row_of(msg_id: int) -> EmailMessage:
    return EmailMessage.objects.get(queue=QUEUE, msg_id=msg_id)


def outcome_of(msg_id: int) -> tuple[str, str | None]:
    """Outcome and reason in the archive."""
    return deliveries.outcome_of(QUEUE, msg_id)
