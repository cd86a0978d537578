"""Outcomes that could not be written where they belong, kept until the bridge can write them: each exactly once.

The message stays in its queue meanwhile. Whoever reads it finds the kept row beside it and does not run it again.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection, transaction

from bridge.errors import NotKept, TokenLost
from bridge.message import Delivery, Ending, LastError, Message, Outcome, Reason
from bridge.models import KeptOutcome
from bridge.pgmq import QueueMissing, pgmq_queue
from bridge.postgres import first_line, is_outage
from bridge.trace import event

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Repeat:
    """An attempt that is to be repeated when it is `due`, because of `error`."""

    error: LastError
    due: datetime


def keep(
    queue: str, message: Message, ending: Ending | Repeat, why: Exception, *, then: Callable[[], None] | None
) -> None:
    """Keep how the message ended, in one transaction with the rows that `then` writes.

    Raises `TokenLost`, `NotKept`, and Django's errors for an outage.
    """
    try:
        _keep(queue, message, ending, first_line(why), then)
    except (DatabaseError, QueueMissing) as error:
        if is_outage(error):
            raise
        raise NotKept(f"{queue} {message.msg_id}: {first_line(why)}; and not kept: {first_line(error)}") from error
    logger.error(
        "%s %s: the outcome (%s) is kept until it can be written; its work is not repeated. Postgres says: %s",
        *(queue, message.msg_id, _columns(ending)["outcome"], first_line(why)),
        extra=event("outcome_kept"),
    )


def _keep(queue: str, message: Message, ending: Ending | Repeat, why: str, then: Callable[[], None] | None) -> None:
    with transaction.atomic():
        if not _is_held(queue, message):
            raise TokenLost(f"{queue} {message.msg_id} belongs to somebody else by now")
        if then is not None:
            then()
        KeptOutcome.objects.create(
            queue=queue,
            msg_id=message.msg_id,
            enqueued_at=message.enqueued_at,
            why=why,
            **_columns(ending),
        )


def _is_held(queue: str, message: Message) -> bool:
    """Whether the message is still ours. Call it in a transaction.

    Where its row cannot be looked at any more, row security having been switched on meanwhile, the lease tells: as long
    as it lasts nobody else is given the message.
    """
    try:
        with transaction.atomic():
            return pgmq_queue(queue).holds(message.token) is not None
    except DatabaseError as error:
        if is_outage(error):
            raise
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() < %s", [message.token.vt])
        return bool(cursor.fetchone()[0])


def _columns(ending: Ending | Repeat) -> dict[str, Any]:
    error = {"error_type": ending.error.type, "error": ending.error.message} if ending.error else {}
    if isinstance(ending, Repeat):
        return {"outcome": KeptOutcome.RETRYING, "due_at": ending.due, **error}
    return {"outcome": ending.outcome, "reason": ending.reason or "", "original": ending.original, **error}


def take(delivery: Delivery) -> Ending | Repeat | None:
    """Remove and return what was kept for a message; `None` when somebody else did. Call it in a transaction."""
    rows = KeptOutcome.objects.select_for_update().filter(queue=delivery.queue, msg_id=delivery.msg_id)
    enqueued_at = pgmq_queue(delivery.queue).holds(delivery.token)
    row = rows.filter(enqueued_at=enqueued_at).first() if enqueued_at else None
    if row is None:
        return None
    row.delete()
    error = LastError(row.error_type, row.error) if row.error_type else None
    if row.due_at is not None and error is not None:
        return Repeat(error, row.due_at)
    reason = Reason(row.reason) if row.reason else None
    return Ending(Outcome(row.outcome), reason=reason, error=error, original=row.original)


def forget_vanished() -> int:
    """Delete what is kept for messages that are in no queue any more; returns how many there were."""
    gone = [row for row in KeptOutcome.objects.order_by("kept_at")[:1000] if not _is_queued(row)]
    for row in gone:
        logger.warning(
            "%s %s: somebody took the message away; its outcome was %s",
            *(row.queue, row.msg_id, row.outcome),
            extra=event("taken_away", queue=row.queue, msg_id=row.msg_id),
        )
        row.delete()
    return len(gone)


def _is_queued(row: KeptOutcome) -> bool:
    try:
        return pgmq_queue(row.queue).is_queued(row.msg_id)
    except QueueMissing:
        return False
