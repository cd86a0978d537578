"""How other packages ask for a mail: a message of the mail queue, in the transaction of whoever asks."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from bridge.pgmq import pgmq_queue
from notifications.apps import QUEUE


def queue_email(*, to: str, subject: str, template: str, variables: Mapping[str, Any]) -> int:
    """Put a mail into the queue and return the message's id.

    The message exists exactly when the caller's transaction commits. `variables` must be JSON; what is missing in them
    shows when the mail is made, as for any other sender.
    """
    body = {
        "to": to,
        "subject": subject,
        "template": template,
        "variables": dict(variables),
        "priority": 0,
        "created_at": timezone.now().isoformat(),
    }
    return pgmq_queue(QUEUE).send(body)
