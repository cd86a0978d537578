"""A message of the report queue from its claim to its outcome: what is stored, who is told, and what the row says."""

from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from bridge import outcome
from bridge.message import LastError, Reason
from bridge.queues import registry
from bridge.reasons import FailureReason
from notifications.writing.request import EmailRequest
from reports.making import outcomes
from reports.making.upkeep import remove_leftovers
from reports.models import Kind, Leftover, Report, Status
from reports.queue import QUEUE
from sandbox.storage import Fault, FaultKind, StorageServer
from tests.support.report_deliveries import (
    ABANDONED,
    ALEKSANDRA,
    AMINA_IN_PROGRESS,
    ANNA,
    ARTYOM_CHECKUP,
    IGOR,
    LEYLA,
    MARIA_CHECKUP,
    NOT_CALCULATED,
    NOWHERE,
    attempt,
    change_results,
    claim,
    enqueue,
    give_away,
    make,
    make_leftovers_due,
    message_body,
    outcome_of,
    queued_mails,
    report_queue,
    set_email,
)

pytestmark = pytest.mark.usefixtures("seeded_database", "storage_server")


def test_a_completed_checkup_becomes_a_stored_pdf(storage_server: StorageServer) -> None:
    msg_id = enqueue()
    attempt(msg_id)
    report = Report.objects.get()
    assert outcome_of(msg_id) == ("succeeded", None)
    assert (report.status, report.kind, report.attempts, report.error) == (Status.STORED, Kind.PDF, 1, "")
    assert (report.assessment_id, report.user_id, report.is_confirmed) == (MARIA_CHECKUP, ANNA, True)
    assert (report.queue, report.msg_id, report.trace_id) == (QUEUE, msg_id, "0123456789abcdef")
    assert storage_server.object_keys() == [report.storage_key]
    assert report.storage_key.startswith(f"{ANNA}/{MARIA_CHECKUP}/")
    stored = storage_server.store.get("reports", report.storage_key)
    assert stored.content.startswith(b"%PDF-")
    assert (report.sha256, report.size) == (sha256(stored.content).hexdigest(), len(stored.content))
    assert (stored.content_type, stored.cache_control) == ("application/pdf", "no-store")
    assert report.pages is not None
    assert report.pages >= 3
    assert bytes(report.preview).startswith(b"\x89PNG")
    assert not Leftover.objects.exists()


def test_the_owner_is_told_by_mail_of_the_report_by_its_id(storage_server: StorageServer) -> None:
    report = make()
    (body,) = queued_mails()
    mail = EmailRequest.parse(body)
    assert (mail.recipient, mail.template) == ("anna.sokolova@example.org", "report_ready")
    assert body["variables"]["assessment_id"] == str(MARIA_CHECKUP)
    assert body["variables"]["profile_name"] == "Мария"
    assert body["variables"]["report_id"] == str(report.pk)
    assert "report_url" not in body["variables"]


@pytest.mark.parametrize(("kind", "media_type"), [("csv", "text/csv"), ("json", "application/json")])
def test_tables_and_data_are_stored_and_nobody_is_told(
    storage_server: StorageServer, kind: str, media_type: str
) -> None:
    report = make(kind=kind)
    assert (report.status, report.pages, bytes(report.preview)) == (Status.STORED, None, b"")
    assert report.storage_key.endswith(f".{kind}")
    assert storage_server.store.get("reports", report.storage_key).content_type == media_type
    assert queued_mails() == []


def test_the_kinds_of_one_checkup_are_reports_of_their_own(storage_server: StorageServer) -> None:
    reports = [make(kind=kind) for kind in Kind.values]
    assert len({report.pk for report in reports}) == len(storage_server.object_keys()) == 3


def test_the_same_report_made_again_mails_nobody(storage_server: StorageServer) -> None:
    first = make()
    again = make()
    assert (again.pk, again.status, again.sha256) == (first.pk, Status.STORED, first.sha256)
    assert len(queued_mails()) == 1
    make_leftovers_due()
    assert remove_leftovers() == 1
    assert storage_server.object_keys() == [again.storage_key]


def test_a_report_with_other_results_replaces_the_old_one_and_is_announced(storage_server: StorageServer) -> None:
    first = make()
    change_results()
    second = make()
    assert second.pk == first.pk
    assert second.sha256 != first.sha256
    assert len(queued_mails()) == 2
    assert set(storage_server.object_keys()) == {first.storage_key, second.storage_key}
    make_leftovers_due()
    remove_leftovers()
    assert storage_server.object_keys() == [second.storage_key]


def test_results_that_are_not_calculated_are_waited_for_and_then_given_up(storage_server: StorageServer) -> None:
    msg_id = enqueue(NOT_CALCULATED, ALEKSANDRA)
    for number in range(1, 4):
        attempt(msg_id)
        report = Report.objects.get()
        assert (report.status, report.attempts, report.error_type) == (Status.RETRYING, number, "NotCalculatedYet")
        assert report.next_retry_at is not None
    attempt(msg_id)
    report = Report.objects.get()
    assert (report.status, report.attempts, report.reason) == (Status.FAILED, 4, FailureReason.RETRIES_EXHAUSTED)
    assert outcome_of(msg_id) == ("failed", "retries_exhausted")
    assert storage_server.requests == []
    assert queued_mails() == []


def test_a_report_comes_once_its_results_are_calculated() -> None:
    msg_id = enqueue(NOT_CALCULATED, ALEKSANDRA)
    attempt(msg_id)
    with connection.cursor() as cursor:
        results = '{"emotional": {"score": 3, "status": "typical"}}'
        cursor.execute("UPDATE public.assessments SET results_summary = %s WHERE id = %s", [results, NOT_CALCULATED])
    attempt(msg_id)
    report = Report.objects.get()
    assert (report.status, report.attempts, report.error, report.next_retry_at) == (Status.STORED, 2, "", None)
    assert len(queued_mails()) == 1


@pytest.mark.parametrize(
    ("assessment_id", "user_id", "error_type", "is_confirmed"),
    [
        (NOWHERE, ANNA, "AssessmentMissing", False),
        (ARTYOM_CHECKUP, ANNA, "NotTheOwner", False),
        (AMINA_IN_PROGRESS, LEYLA, "AssessmentNotCompleted", True),
        (ABANDONED, ANNA, "AssessmentNotCompleted", True),
    ],
)
def test_what_no_repeat_can_mend_fails_at_once(
    storage_server: StorageServer, assessment_id: UUID, user_id: UUID, error_type: str, is_confirmed: bool
) -> None:
    msg_id = enqueue(assessment_id, user_id)
    attempt(msg_id)
    report = Report.objects.get()
    assert outcome_of(msg_id) == ("failed", "permanent_error")
    assert (report.status, report.reason, report.error_type) == (Status.FAILED, "permanent_error", error_type)
    assert (report.is_confirmed, report.has_document) == (is_confirmed, False)
    assert storage_server.requests == []
    assert queued_mails() == []


@pytest.mark.parametrize(
    "body",
    [
        "pdf",
        [message_body()],
        {},
        {**message_body(), "report_type": "docx"},
        {**message_body(), "report_type": None},
        {**message_body(), "assessment_id": 1},
        {**message_body(), "assessment_id": "1 OR 1=1"},
        {**message_body(), "user_id": f"{{{ANNA}}}"},
        {**message_body(), "user_id": ANNA.hex},
    ],
)
def test_a_message_that_names_no_report_fails_and_leaves_no_row(storage_server: StorageServer, body: Any) -> None:
    msg_id = report_queue().send(body)
    attempt(msg_id)
    assert outcome_of(msg_id) == ("failed", "invalid_message")
    assert not Report.objects.exists()
    assert storage_server.requests == []


def test_claims_of_strangers_fill_no_table(monkeypatch: pytest.MonkeyPatch, storage_server: StorageServer) -> None:
    monkeypatch.setattr(outcomes, "MOST_CLAIMS", 2)
    for number in range(4):
        msg_id = enqueue(ARTYOM_CHECKUP if number % 2 else UUID(int=number), ANNA)
        attempt(msg_id)
        # The archive says it of each.
        assert outcome_of(msg_id) == ("failed", "permanent_error")
    assert Report.objects.filter(is_confirmed=False).count() == 2
    # Nobody else goes without theirs meanwhile.
    assert make().status == Status.STORED
    # What is older than an hour takes nobody's place.
    Report.objects.filter(is_confirmed=False).update(created_at=timezone.now() - timedelta(hours=1))
    attempt(enqueue(NOWHERE, ANNA))
    assert Report.objects.filter(is_confirmed=False).count() == 3


def test_a_claim_without_a_row_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "MOST_CLAIMS", 0)
    for assessment_id, error in ((NOWHERE, "AssessmentMissing"), (ARTYOM_CHECKUP, "NotTheOwner")):
        msg_id = enqueue(assessment_id, ANNA)
        attempt(msg_id)
        history = report_queue().archived_history(msg_id)
        assert history is not None
        assert history["last_error"]["type"] == error
    assert not Report.objects.exists()


def test_a_false_claim_leaves_the_owners_report_alone() -> None:
    stored = make()
    make(user_id=IGOR)
    report = Report.objects.get(user_id=ANNA)
    assert (report.status, report.updated_at) == (Status.STORED, stored.updated_at)
    assert len(queued_mails()) == 1


def test_a_message_about_a_checkup_that_was_given_away_keeps_what_was_stored_before() -> None:
    stored = make(kind="json")
    give_away(MARIA_CHECKUP, IGOR)
    report = make(kind="json")
    assert (report.status, report.error_type) == (Status.FAILED, "NotTheOwner")
    assert (report.storage_key, report.is_confirmed) == (stored.storage_key, True)


def test_a_failed_repeat_keeps_the_document(storage_server: StorageServer) -> None:
    stored = make()
    storage_server.faults.add(Fault(FaultKind.STATUS, status=413))
    report = make()
    assert (report.status, report.error_type) == (Status.FAILED, "StorageRefused")
    assert (report.storage_key, report.sha256) == (stored.storage_key, stored.sha256)
    make_leftovers_due()
    remove_leftovers()
    assert storage_server.object_keys() == [stored.storage_key]


def test_a_message_that_always_killed_its_worker_fails_the_report() -> None:
    message = claim(enqueue())
    outcome.fail(registry.get(QUEUE), message, Reason.WORKER_LOST, LastError("WorkerLost", "the worker died"))
    report = Report.objects.get()
    assert (report.status, report.reason, report.is_confirmed) == (Status.FAILED, "worker_lost", True)


@pytest.mark.parametrize("email", [None, "", " "])
def test_a_report_of_somebody_without_an_address_is_stored_all_the_same(email: str | None) -> None:
    set_email(ANNA, email)
    assert make().status == Status.STORED
    assert queued_mails() == []
