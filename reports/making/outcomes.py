"""Keeps the reports in step with what happens to their messages.

Several messages may ask for the same report at the same time, so a row knows the message that started last: only that
one moves its status, as only that one has seen the newest data.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from bridge.changes import Changes
from bridge.errors import DuplicateMessage, InvalidMessage, TokenLost
from bridge.message import LastError, Message, Reason
from bridge.reasons import FailureReason
from reports.document.made import Document
from reports.errors import AssessmentMissing, NotTheOwner, ReportError
from reports.making.announcement import announce_report
from reports.models import Leftover, Report, RequestedBy, Status, reason_of
from reports.owners import find_standing, owns
from reports.queue import ReportRequest

# A download that began before the report got its new document still finds the old one.
REPLACED_STAYS = timedelta(minutes=5)
# A message may have been sent early in a transaction that brings new results and is committed later.
TRANSACTION_LASTS = timedelta(minutes=1)
MOST_ERROR_CHARACTERS = 2000
# How many reports that are not their customers' get a row within an hour: anybody can ask for any number of them.
MOST_CLAIMS = 50


class UploadExpired(ReportError):
    """The attempt took so long that its object counts as a leftover: it is made and stored again."""

    code = "upload_expired"


def start_report(*, message: Message, request: ReportRequest) -> Report:
    """Note that this attempt makes the report, and return its row.

    Raises `TokenLost` when a later attempt of this message runs already, and `DuplicateMessage` when the report was
    made after the message was sent: anybody may fill the queue, and each message would otherwise cost a document. An
    error about its assessment for one of too many messages about what is not their customers'.
    """
    with transaction.atomic():
        report = _locked_row(message, request)
        if report is None:
            raise (NotTheOwner if find_standing(request.assessment_id) else AssessmentMissing)
        changes = Changes(report)
        is_answered = report.data_as_of is not None and report.data_as_of > message.enqueued_at + TRANSACTION_LASTS
        if not is_answered:
            _start(report, message, request)
        elif report.msg_id == message.msg_id:
            _enter(report, message, Status.STORED)
            report.error = report.error_type = ""
        changes.save()
    if is_answered:
        raise DuplicateMessage("the report was made after this message was sent")
    return report


def _start(report: Report, message: Message, request: ReportRequest) -> None:
    if report.msg_id != message.msg_id:
        report.requested_by = RequestedBy.SYSTEM
    elif report.attempts > message.history.attempts:
        raise TokenLost(f"{message.queue} {message.msg_id}: attempt {report.attempts} runs already")
    report.msg_id = message.msg_id
    report.is_confirmed = report.has_document or owns(request.user_id, request.assessment_id)
    _enter(report, message, Status.RENDERING)
    report.error = report.error_type = ""


def store_report(*, report: Report, message: Message, document: Document, key: str, profile_name: str) -> Report:
    """Point the report to its new document, and announce it by mail when it differs from the last one.

    Runs in the transaction that archives the message, so the row, the outcome and the mail exist together. Raises
    `UploadExpired` when the object under `key` may be gone by now.
    """
    # No savepoint: what fails here undoes the outcome as well.
    with transaction.atomic(savepoint=False):
        report = Report.objects.select_for_update().get(pk=report.pk)
        changes = Changes(report)
        is_latest = report.msg_id == message.msg_id
        began = _beginning(message)
        if report.data_as_of is not None and report.data_as_of > began:
            # An attempt that began later, with data at least as new, was faster: this object stays a leftover.
            return report
        now = timezone.now()
        adopted, _ = Leftover.objects.filter(key=key, due_at__gt=now).delete()
        if not adopted:
            raise UploadExpired("storing the report took longer than its lease")
        if report.has_document:
            Leftover.objects.create(key=report.storage_key, due_at=now + REPLACED_STAYS)
        is_news = report.sha256 != document.sha256
        report.storage_key, report.sha256, report.size = key, document.sha256, len(document.content)
        report.pages, report.preview, report.duration_ms = document.pages, document.preview, document.duration_ms
        report.stored_at, report.data_as_of, report.is_confirmed = now, began, True
        if is_latest or report.status == Status.FAILED:
            _enter(report, message, Status.STORED)
            report.error = report.error_type = ""
        changes.save()
        if is_news:
            announce_report(report, profile_name=profile_name)
    return report


def postpone_report(*, message: Message, error: LastError, next_retry_at: datetime) -> None:
    """Note that the report is tried again at `next_retry_at`. Runs in the transaction that hides the message."""
    _note_trouble(message, Status.RETRYING, error, next_retry_at=next_retry_at)


def fail_report(*, message: Message, reason: Reason, error: LastError) -> None:
    """Note that the report is given up. Runs in the transaction that archives the message as failed.

    A message that does not even name a report leaves no row: its place is the archive of the queue.
    """
    _note_trouble(message, Status.FAILED, error, reason=reason_of(reason))


class ReportJournal:
    """How the bridge keeps the reports in step, in workers and in its own process."""

    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None:
        postpone_report(message=message, error=error, next_retry_at=next_retry_at)

    def failed(self, message: Message, reason: Reason, error: LastError) -> None:
        fail_report(message=message, reason=reason, error=error)

    def discarded(self, queue: str, sent_at: Mapping[int, datetime]) -> None:
        rows = Report.objects.filter(queue=queue, msg_id__in=sent_at, status=Status.FAILED)
        # A row has no time of its message: one that is older than its row is of an earlier life of the queue.
        these = [row.pk for row in rows.only("pk", "msg_id", "updated_at") if sent_at[row.msg_id] <= row.updated_at]
        Report.objects.filter(pk__in=these).update(reason=FailureReason.DISCARDED, updated_at=timezone.now())


def _note_trouble(
    message: Message,
    status: Status,
    error: LastError,
    *,
    next_retry_at: datetime | None = None,
    reason: FailureReason | None = None,
) -> None:
    try:
        request = ReportRequest.parse(message.body)
    except InvalidMessage:
        return
    with transaction.atomic():
        report = _locked_row(message, request)
        if report is None or report.msg_id != message.msg_id:
            return
        changes = Changes(report)
        _enter(report, message, status)
        report.next_retry_at, report.reason = next_retry_at, reason or ""
        report.error, report.error_type = error.message[:MOST_ERROR_CHARACTERS] or "no message", error.type[:200]
        changes.save()


def _locked_row(message: Message, request: ReportRequest) -> Report | None:
    """The row of this report, locked, made if need be; `None` where strangers had as many as they may have."""
    row = {"assessment_id": request.assessment_id, "user_id": request.user_id, "kind": request.kind}
    found = Report.objects.select_for_update().filter(**row).first()
    if found is not None:
        return found
    is_confirmed = owns(request.user_id, request.assessment_id)
    if not is_confirmed and not _has_room_for_claims():
        return None
    report, _ = Report.objects.select_for_update().get_or_create(
        **row, defaults={"queue": message.queue, "msg_id": message.msg_id, "is_confirmed": is_confirmed}
    )
    return report


def _has_room_for_claims() -> bool:
    """Whether staff are to see one more report that somebody asked for and cannot have. The archive has them all."""
    recent = Report.objects.filter(is_confirmed=False, created_at__gt=timezone.now() - timedelta(hours=1))
    return recent[:MOST_CLAIMS].count() < MOST_CLAIMS


def _enter(report: Report, message: Message, status: Status) -> None:
    report.status = status
    report.queue, report.msg_id = message.queue, message.msg_id
    report.attempts, report.trace_id = message.history.attempts, message.history.trace_id
    report.next_retry_at, report.reason = None, ""


def _beginning(message: Message) -> datetime:
    """When this attempt began, as Postgres noted with its claim."""
    assert message.history.last_attempt_at is not None  # noqa: S101 # The claim writes it.
    return datetime.fromisoformat(message.history.last_attempt_at)
