"""The mail queue: how other packages put a mail into it, and how staff put one back that failed."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from bridge.errors import BridgeError
from bridge.pgmq import pgmq_queue
from bridge.requeue import requeue_message
from notifications.errors import DidNotFail, MessageForgotten, SentAgainBefore
from notifications.models import EmailMessage, Status

QUEUE = "email_queue"


def queue_email(*, to: str, subject: str, template: str, variables: Mapping[str, Any], priority: int = 0) -> int:
    """Put a mail into the queue and return the message's id.

    The message exists exactly when the caller's transaction commits. `variables` must be JSON; what is missing in them
    shows when the mail is made, as for any other sender.
    """
    body = {
        "to": to,
        "subject": subject,
        "template": template,
        "variables": dict(variables),
        "priority": priority,
        "created_at": timezone.now().isoformat(),
    }
    return pgmq_queue(QUEUE).send(body)


def send_again(row: EmailMessage) -> int:
    """Put the message of a failed mail back into its queue; returns the id of the new message.

    The new message has a row of its own as soon as a worker takes it. Raises a kind of `NotResendable`.
    Two people who press the button at once send one mail: the message's archive row is locked meanwhile.
    """
    if row.status != Status.FAILED:
        raise DidNotFail
    if row.msg_id is None:
        raise MessageForgotten
    try:
        return requeue_message(queue=row.queue, msg_id=row.msg_id)
    except BridgeError as error:
        raise SentAgainBefore(number=row.msg_id) from error
