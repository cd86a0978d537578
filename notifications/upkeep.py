"""Repairs the mail log where it fell behind the queue, and forgets what it need not know any more."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from bridge.batches import one_by_one, without_message
from bridge.message import History, Outcome
from bridge.pgmq import QueueMissing, pgmq_queue
from bridge.queues import registry
from bridge.reasons import FailureReason
from bridge.rights import may_conclude, queue_tables
from notifications.models import UNFINISHED, EmailMessage, Status
from notifications.queue import QUEUE

logger = logging.getLogger(__name__)

# Past its lease a message is delivered again, so a row without news for this much longer is out of step.
PATIENCE = timedelta(minutes=10)
MOST_ROWS = 500
BATCH = 1000


def settle_stuck_emails() -> int:
    """Give rows that got no news for too long the outcome of their message; returns how many were settled.

    A message that is still queued keeps its row as it is: a warning counts those, as no worker takes them. One that is
    neither queued nor archived was deleted by somebody else, and its mail counts as failed.
    """
    if not may_conclude("no mail is given up", *queue_tables(QUEUE)):
        return 0
    now = timezone.now()
    limit = now - PATIENCE - timedelta(seconds=registry.get(QUEUE).run_lease)
    late = Q(next_retry_at__isnull=True) | Q(next_retry_at__lt=now - PATIENCE)
    stuck = EmailMessage.objects.filter(late, status__in=UNFINISHED, updated_at__lt=limit)
    rows = list(stuck.order_by("updated_at").values_list("pk", "queue", "msg_id"))
    lost = without_message(rows)
    settled = one_by_one(lost[:MOST_ROWS], _settle_stuck, what="email")
    if waiting := len(rows) - len(lost):
        logger.warning("%s emails wait for a worker for more than %s", waiting, now - limit)
    if settled:
        logger.warning("%s emails had lost touch with their message and were settled", settled)
    return settled


def _settle_stuck(pk: int) -> bool:
    row = EmailMessage.objects.filter(pk=pk, status__in=UNFINISHED).first()
    change = None if row is None else _outcome_of(row)
    return row is not None and change is not None and _settle(row, change) > 0


def forget_bodies() -> int:
    """Blank the bodies of finished mails older than `EMAIL_BODY_DAYS`, in short transactions; returns how many."""
    limit = timezone.now() - timedelta(days=settings.EMAIL_BODY_DAYS)
    old = EmailMessage.objects.filter(~Q(html_body="", text_body=""), created_at__lt=limit)
    finished = old.exclude(status__in=UNFINISHED).order_by("created_at")
    forgotten = 0
    while True:
        batch = list(finished.values_list("pk", flat=True)[:BATCH])
        forgotten += EmailMessage.objects.filter(pk__in=batch).update(html_body="", text_body="")
        if len(batch) < BATCH:
            return forgotten


def forget_refused() -> int:
    """Delete the rows of mails that nobody began to send, once their messages left the archive; returns how many.

    Our rules stopped them, or they made no sense. Strangers can make any number of them, and nobody else is told by
    them than who looks at the time.
    """
    limit = timezone.now() - timedelta(days=settings.BRIDGE_ARCHIVE_DAYS)
    never_begun = Q(message_id="") | Q(reason=FailureReason.REFUSED)
    old = EmailMessage.objects.filter(never_begun, status=Status.FAILED, created_at__lt=limit)
    forgotten = 0
    while True:
        batch = list(old.order_by("created_at").values_list("pk", flat=True)[:BATCH])
        forgotten += EmailMessage.objects.filter(pk__in=batch).delete()[0]
        if len(batch) < BATCH:
            return forgotten


def _outcome_of(row: EmailMessage) -> dict[str, Any] | None:
    """The fields that the row should have; `None` while its message is queued."""
    if row.msg_id is None:
        return _gone("the queue of this mail was dropped")
    pgmq = pgmq_queue(row.queue)
    try:
        # In this order: a message moves from the queue to the archive and never back.
        if pgmq.is_queued(row.msg_id):
            return None
        history = pgmq.archived_history(row.msg_id)
    except QueueMissing as missing:
        return _gone(str(missing))
    if history is None:
        return _gone("the message was deleted from the queue before this mail was finished")
    return _adopted(row, history)


def _adopted(row: EmailMessage, history: dict[str, Any]) -> dict[str, Any]:
    last = History.parse(history).last_error
    error = {"error": last.message, "error_type": last.type} if last and last.message else {}
    match history.get("outcome"):
        case Outcome.SUCCEEDED if row.recipient and row.message_id:
            return {"status": Status.SENT, "sent_at": _time(history.get("finished_at")) or row.updated_at}
        case Outcome.DUPLICATE:
            return {**_gone("a duplicate of another message"), "status": Status.DUPLICATE, "reason": "", **error}
        case Outcome.FAILED if history.get("reason") in FailureReason.values:
            return {**_gone("the message failed"), "reason": history["reason"], **error}
        case _:
            return _gone("the message was archived by somebody else before this mail was finished")


def _gone(why: str) -> dict[str, Any]:
    return {
        "status": Status.FAILED,
        "reason": FailureReason.MESSAGE_GONE,
        "error": why,
        "error_type": "MessageGone",
    }


def _settle(row: EmailMessage, change: dict[str, Any]) -> int:
    """Write the change, unless the row got news since it was read."""
    with transaction.atomic():
        unchanged = EmailMessage.objects.filter(pk=row.pk, status=row.status, updated_at=row.updated_at)
        return unchanged.update(**change, next_retry_at=None, updated_at=timezone.now())


def _time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None
