"""The report task of the bridge, and what beat asks of this package."""

from collections.abc import Callable

from celery import shared_task

from bridge.breaker import asking
from bridge.message import Message
from bridge.worker.task import queue_task
from reports.content.loading import load_report
from reports.document.rendering import render
from reports.making.outcomes import start_report, store_report
from reports.making.upkeep import forget_abandoned, remove_leftovers, settle_stuck_reports
from reports.queue import QUEUE, ReportRequest
from reports.storage.storage import STORAGE, judge_outage, upload_document


@queue_task("reports.generate_report", queue=QUEUE)
def generate_report(message: Message) -> Callable[[], None]:
    """Make and store the report that a message of the report queue asks for."""
    request = ReportRequest.parse(message.body)
    report = start_report(message=message, request=request)
    data = load_report(request.assessment_id, user_id=request.user_id)
    document = render(data, request.kind)
    with asking(STORAGE, message, judge_outage):
        key = upload_document(report, document)

    def record() -> None:
        store_report(report=report, message=message, document=document, key=key, profile_name=data.name)

    return record


@shared_task(name="reports.remove_leftovers")
def remove_old_objects() -> None:
    """Remove the objects in storage that no report points to any more."""
    remove_leftovers()


@shared_task(name="reports.check_stuck_reports")
def check_stuck_reports() -> None:
    """Settle the rows of reports whose message vanished from the queue."""
    settle_stuck_reports()


@shared_task(name="reports.forget_abandoned")
def forget_abandoned_reports() -> None:
    """Delete the reports of accounts and assessments that were deleted."""
    forget_abandoned()
