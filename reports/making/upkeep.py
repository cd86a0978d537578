"""Removes what attempts left in the storage and whose owner is gone; settles reports that nobody works on any more."""

import logging
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from bridge.batches import one_by_one, without_message
from bridge.pgmq import QueueMissing, pgmq_queue
from bridge.queues import registry
from bridge.reasons import FailureReason
from bridge.rights import may_conclude, queue_tables, require_sight
from reports.models import UNFINISHED, Leftover, Report, Status
from reports.owners import find_abandoned, owns
from reports.queue import QUEUE
from reports.storage.storage import StorageError, delete_object

logger = logging.getLogger(__name__)

# Past its lease a message is delivered again, so a row without news for this much longer is out of step.
PATIENCE = timedelta(minutes=10)
MOST_ROWS = 500
# After so many objects in a row that the storage would not remove it counts as unreachable.
MOST_REFUSED = 3
# Where it stands whose assessment is whose.
_OWNERSHIP = ("public.assessments", "public.profiles")
# For so long staff can see why a report that never came about failed.
FAILURES_STAY = timedelta(days=30)


def remove_leftovers() -> int:
    """Remove the objects that are due, oldest first; returns how many. Two processes may do so at the same time.

    An object is forgotten only when the storage said that it is gone. One that it will not remove is the last of
    the next run; after some of those in a row the storage counts as unreachable, and all wait.
    """
    now, removed, refused = timezone.now(), 0, 0
    due = Leftover.objects.filter(due_at__lte=now).order_by("due_at").values_list("key", flat=True)
    for key in list(due[:MOST_ROWS]):
        # Waits for an attempt that adopts the object at this moment, and then finds nothing to change.
        if not Leftover.objects.filter(key=key, due_at__lte=now).update(due_at=now):
            continue
        try:
            delete_object(key)
        except (StorageError, OSError) as error:
            refused += 1
            logger.warning("%s objects of reports wait for their removal: %s", Leftover.objects.count(), error)
            if refused >= MOST_REFUSED:
                break
            continue
        Leftover.objects.filter(key=key).delete()
        removed, refused = removed + 1, 0
    if removed:
        logger.info("%s objects that no report needs were removed from the storage", removed)
    return removed


def forget_abandoned() -> int:
    """Delete reports whose customer does not own the assessment any more; returns how many.

    Who deletes an account, or the assessment, expects the document to go as well. Also deletes what somebody else's
    message claimed and never got.
    """
    if not may_conclude("no report is deleted", *_OWNERSHIP):
        return 0
    abandoned = find_abandoned(idle_since=timezone.now() - FAILURES_STAY, most=MOST_ROWS)
    forgotten = one_by_one(abandoned, _forget, what="report")
    if forgotten:
        logger.info("%s reports were deleted: the assessments are gone, or are not those customers'", forgotten)
    return forgotten


def _forget(report_id: UUID) -> bool:
    require_sight(*_OWNERSHIP)
    report = Report.objects.select_for_update().filter(pk=report_id).first()
    if report is None or owns(report.user_id, report.assessment_id):
        return False
    if report.has_document:
        Leftover.objects.create(key=report.storage_key, due_at=timezone.now())
    report.delete()
    return True


def settle_stuck_reports() -> int:
    """Fail reports that wait for a message which is not in the queue any more; returns how many."""
    if not may_conclude("no report is given up", *queue_tables(QUEUE)):
        return 0
    limit = timezone.now() - PATIENCE - timedelta(seconds=registry.get(QUEUE).run_lease)
    stuck = Report.objects.filter(status__in=UNFINISHED, updated_at__lt=limit).order_by("updated_at")
    rows = list(stuck.values_list("pk", "queue", "msg_id"))
    lost = without_message(rows)
    settled = one_by_one(lost[:MOST_ROWS], _settle_stuck, what="report")
    if waiting := len(rows) - len(lost):
        logger.warning("%s reports wait for a worker for more than %s", waiting, timezone.now() - limit)
    if settled:
        logger.warning("%s reports had lost their message and count as failed", settled)
    return settled


def _settle_stuck(pk: UUID) -> bool:
    report = Report.objects.filter(pk=pk, status__in=UNFINISHED).first()
    return report is not None and not _is_queued(report) and _fail(report) > 0


def _is_queued(report: Report) -> bool:
    try:
        return pgmq_queue(report.queue).is_queued(report.msg_id)
    except QueueMissing:
        return False


def _fail(report: Report) -> int:
    """Write the change, unless the row got news since it was read."""
    with transaction.atomic():
        unchanged = Report.objects.filter(pk=report.pk, status=report.status, updated_at=report.updated_at)
        return unchanged.update(
            status=Status.FAILED,
            reason=FailureReason.MESSAGE_GONE,
            error="the message left the queue before this report was finished",
            error_type="MessageGone",
            next_retry_at=None,
            updated_at=timezone.now(),
        )
