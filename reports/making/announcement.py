"""The mail that says a report is there."""

import logging

from notifications.queue import queue_email
from reports.models import Kind, Report
from reports.owners import find_email

logger = logging.getLogger(__name__)

SUBJECT = "Отчёт готов"


def announce_report(report: Report, *, profile_name: str) -> None:
    """Queue the mail for a stored PDF, in the caller's transaction. Nobody is told of the other kinds."""
    if report.kind != Kind.PDF:
        return
    recipient = find_email(report.user_id)
    if not recipient:
        logger.warning("report %s is stored, and its owner has no mail address to be told at", report.pk)
        return
    queue_email(
        to=recipient,
        subject=SUBJECT,
        template="report_ready",
        variables={
            "assessment_id": str(report.assessment_id),
            "profile_name": profile_name,
            # And no link: others can read the queue, and a link would open the report for them.
            "report_id": str(report.pk),
        },
    )
