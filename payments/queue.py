"""The payment queue: messages that ask for a check. Anybody may have sent one, so it only says where to look."""

import uuid
from dataclasses import dataclass
from typing import Any, Self

from django.utils import timezone

from bridge.errors import InvalidMessage
from bridge.pgmq import pgmq_queue
from bridge.queues import OWN_PRIORITY

QUEUE = "payment_processing_queue"
ACTIONS = ("verify", "update_status", "refund")
MOST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ProcessingRequest:
    """A payment to look at. All actions do the same: `refund` makes no refund that staff did not ask for.

    `notification_id` names the row of the provider's notification that the check is for. `give` asks for no check: what
    was proven to be paid is given, when it is due.
    """

    payment_id: uuid.UUID
    action: str
    notification_id: int | None = None
    give: bool = False

    @classmethod
    def parse(cls, body: object) -> Self:
        """Read the body of a message. Raises `InvalidMessage`. Keys that nobody needs are ignored."""
        if not isinstance(body, dict):
            raise InvalidMessage("the message must be a JSON object")
        raw, action = body.get("payment_id"), body.get("action")
        try:
            payment_id = uuid.UUID(raw) if isinstance(raw, str) else None
        except ValueError:
            payment_id = None
        if payment_id is None:
            raise InvalidMessage('the key "payment_id" must be a UUID')
        if action not in ACTIONS:
            raise InvalidMessage(f'the key "action" must be one of {", ".join(ACTIONS)}')
        notification = body.get("notification_id")
        if notification is not None and not (type(notification) is int and 0 < notification <= MOST_ID):
            raise InvalidMessage('the key "notification_id" must be a positive whole number')
        return cls(payment_id, action, notification, give=body.get("give") is True)


def queue_check(payment_id: uuid.UUID, action: str, *, delay: int = 0, **more: Any) -> int:
    """Put a message into the payment queue, in the caller's transaction, due after `delay` s; returns its id."""
    body = {
        "payment_id": str(payment_id),
        "action": action,
        "created_at": timezone.now().isoformat(),
        "priority": OWN_PRIORITY,
        **more,
    }
    return pgmq_queue(QUEUE).send(body, delay=delay)
