"""Asks for a report: a message of the report queue and a row that shows it, together."""

from uuid import UUID

from django.db import transaction

from bridge.changes import Changes
from bridge.pgmq import pgmq_queue
from bridge.queues import OWN_PRIORITY
from reports.errors import AssessmentMissing, AssessmentNotCompleted
from reports.models import UNFINISHED, Kind, Report, RequestedBy, Status
from reports.owners import find_standing
from reports.queue import QUEUE, ReportRequest


def request_report(*, assessment_id: UUID, user_id: UUID, kind: Kind, requested_by: RequestedBy) -> Report:
    """Have the report made, or made again, and return its row.

    While one is on its way already, that is the answer: pressing twice makes one report. Raises `AssessmentMissing`
    when the assessment is not this user's, `AssessmentNotCompleted` when it is not completed.
    """
    standing = find_standing(assessment_id)
    if standing is None or standing.owner != user_id:
        raise AssessmentMissing
    if not standing.is_completed:
        raise AssessmentNotCompleted
    pgmq = pgmq_queue(QUEUE)
    with transaction.atomic():
        # 0 is no message: the row is new.
        report, _ = Report.objects.select_for_update().get_or_create(
            assessment_id=assessment_id, user_id=user_id, kind=kind, defaults={"queue": QUEUE, "msg_id": 0}
        )
        changes = Changes(report)
        # A row whose message somebody removed from the queue would wait for ever.
        if report.status in UNFINISHED and report.msg_id and pgmq.is_queued(report.msg_id):
            return report
        report.msg_id = pgmq.send({**ReportRequest(assessment_id, user_id, kind).to_body(), "priority": OWN_PRIORITY})
        report.queue, report.status, report.requested_by = QUEUE, Status.QUEUED, requested_by
        report.is_confirmed = True
        report.attempts, report.next_retry_at = 0, None
        report.reason = report.error = report.error_type = report.trace_id = ""
        changes.save()
    return report
