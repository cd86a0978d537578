"""The mail queue: how other packages put a mail into it, and how staff put one back that failed."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone

from bridge.errors import BridgeError
from bridge.operations.actor import Actor
from bridge.operations.codes import Action
from bridge.operations.requeue import requeue
from bridge.pgmq import pgmq_queue
from notifications.errors import DidNotFail, MessageForgotten, NotResendable, SentAgainBefore
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


def send_again(
    rows: Iterable[EmailMessage], *, actor: Actor, reason: str = ""
) -> tuple[list[int], list[NotResendable]]:
    """Put the messages of failed mails back into their queue; returns the new messages' ids, and why others are not.

    A new message has a row of its own as soon as a worker takes it. Two people who press the button at once send one
    mail, and what was discarded is sent as well: whoever asks for it has changed their mind.
    """
    numbers: list[int] = []
    refusals: list[NotResendable] = []
    ids: dict[str, list[int]] = {}
    for row in rows:
        if row.status != Status.FAILED:
            refusals.append(DidNotFail())
        elif row.msg_id is None:
            refusals.append(MessageForgotten())
        else:
            ids.setdefault(row.queue, []).append(row.msg_id)
    for queue, chosen in ids.items():
        try:
            done = requeue(queue, chosen, actor=actor, reason=reason, action=Action.SEND_AGAIN, even_discarded=True)
        except BridgeError:
            # The queue was dropped, and the messages with it.
            refusals += [SentAgainBefore(number=number) for number in chosen]
            continue
        numbers += [new for _old, new in done.pairs]
        refusals += [SentAgainBefore(number=one.msg_id) for one in done.refusals]
    return numbers, refusals
