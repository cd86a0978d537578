"""Reports whose message is gone, and the invariants that the database keeps."""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from bridge.queues import registry
from bridge.reasons import FailureReason
from bridge.rights import RowsHidden
from reports.making import upkeep
from reports.making.asking import request_report
from reports.making.upkeep import FAILURES_STAY, PATIENCE, forget_abandoned, remove_leftovers, settle_stuck_reports
from reports.models import Kind, Leftover, Report, RequestedBy, Status
from reports.queue import QUEUE
from reports.storage.storage import StorageError, delete_object
from sandbox.storage import StorageServer
from tests.support.overlapping import overlap
from tests.support.poison import poison
from tests.support.report_deliveries import (
    ANNA,
    ARTYOM_CHECKUP,
    IGOR,
    MARIA_CHECKUP,
    delete_assessment,
    delete_message,
    give_away,
    make,
)

pytestmark = pytest.mark.usefixtures("seeded_database", "storage_server")

DOCUMENT = {
    "storage_key": "a/b/c.pdf",
    "sha256": "0" * 64,
    "size": 1,
    "pages": 1,
    "duration_ms": 1,
    "stored_at": Now(),
    "is_confirmed": True,
}
DOCUMENT_STORED = DOCUMENT | {"status": Status.STORED}


def asked() -> Report:
    return request_report(assessment_id=MARIA_CHECKUP, user_id=ANNA, kind=Kind.PDF, requested_by=RequestedBy.OWNER)


def lost_report(number: int) -> dict[str, Any]:
    """Whose message was never in the queue, about an assessment that nobody has."""
    return {"assessment_id": UUID(int=number), "user_id": ANNA, "kind": Kind.PDF, "queue": QUEUE, "msg_id": 10**9}


def age(report: Report) -> None:
    old = timezone.now() - PATIENCE - timedelta(seconds=registry.get(QUEUE).run_lease + 60)
    Report.objects.filter(pk=report.pk).update(updated_at=old)


def test_a_report_whose_message_was_deleted_counts_as_failed(caplog: pytest.LogCaptureFixture) -> None:
    report = asked()
    delete_message(report.msg_id)
    assert settle_stuck_reports() == 0
    age(report)
    assert settle_stuck_reports() == 1
    report.refresh_from_db()
    assert (report.status, report.reason) == (Status.FAILED, FailureReason.MESSAGE_GONE)
    assert "1 reports had lost their message" in caplog.text


def test_a_report_that_only_waits_for_a_worker_stays_and_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    report = asked()
    age(report)
    assert settle_stuck_reports() == 0
    report.refresh_from_db()
    assert report.status == Status.QUEUED
    assert "1 reports wait for a worker" in caplog.text


AGAIN = {"updated_at": Now()}


@pytest.mark.parametrize(
    ("step", "news"),
    [("without_message", DOCUMENT_STORED), ("_is_queued", DOCUMENT_STORED), ("_is_queued", AGAIN)],
    ids=["stored before its turn", "stored in its turn", "tried again in its turn"],
)
def test_a_report_that_gets_news_while_it_is_looked_at_is_left_as_it_is_now(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: str, news: dict[str, Any]
) -> None:
    report = asked()
    age(report)
    delete_message(report.msg_id)
    look = getattr(upkeep, step)

    def with_news(*args: Any) -> Any:
        found = look(*args)
        Report.objects.filter(pk=report.pk).update(**news)
        return found

    monkeypatch.setattr(upkeep, step, with_news)
    assert settle_stuck_reports() == 0
    report.refresh_from_db()
    assert (report.status, report.reason, report.error) == (news.get("status", Status.QUEUED), "", "")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_report_that_waits_since_the_very_moment_of_a_lost_one_goes_on_waiting() -> None:
    waiting = asked()
    lost = Report.objects.create(**lost_report(1))
    age(waiting)
    waiting.refresh_from_db()
    Report.objects.filter(pk=lost.pk).update(updated_at=waiting.updated_at, status=waiting.status)
    assert settle_stuck_reports() == 1
    waiting.refresh_from_db()
    assert waiting.status == Status.QUEUED


def test_finished_reports_keep_no_lost_one_from_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "MOST_ROWS", 1)
    for fields in (lost_report(1) | DOCUMENT_STORED, lost_report(2)):
        age(Report.objects.create(**fields))
    assert settle_stuck_reports() == 1


def test_a_report_whose_message_came_back_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    report = asked()
    age(report)
    monkeypatch.setattr(upkeep, "without_message", lambda rows: [pk for pk, *_ in rows])
    assert settle_stuck_reports() == 0
    report.refresh_from_db()
    assert report.status == Status.QUEUED


def test_a_report_whose_queue_was_dropped_counts_as_failed() -> None:
    report = asked()
    Report.objects.update(queue="no_such_queue")
    age(report)
    assert settle_stuck_reports() == 1


def test_a_report_whose_assessment_was_deleted_goes_with_its_document(storage_server: StorageServer) -> None:
    make()
    kept = make(ARTYOM_CHECKUP, IGOR)
    delete_assessment(MARIA_CHECKUP)
    assert forget_abandoned() == 1
    assert list(Report.objects.all()) == [kept]
    remove_leftovers()
    assert storage_server.object_keys() == [kept.storage_key]


def test_a_report_whose_assessment_is_anothers_by_now_goes_too(storage_server: StorageServer) -> None:
    make()
    give_away(MARIA_CHECKUP, IGOR)
    assert forget_abandoned() == 1
    remove_leftovers()
    assert storage_server.object_keys() == []


def test_what_a_strangers_message_claimed_is_kept_for_staff_and_then_forgotten() -> None:
    make(MARIA_CHECKUP, IGOR)
    assert forget_abandoned() == 0
    Report.objects.update(updated_at=timezone.now() - FAILURES_STAY)
    assert forget_abandoned() == 1
    assert not Report.objects.exists()


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"status": "lost"}, "report_status_known"),
        ({"kind": "docx"}, "report_kind_known"),
        ({"status": Status.STORED}, "report_stored_has_document"),
        ({"status": Status.FAILED, "error": "x"}, "report_failed_has_reason"),
        ({"reason": "worker_lost"}, "report_failed_has_reason"),
        ({"status": Status.FAILED, "reason": "worker_lost"}, "report_trouble_has_error"),
        ({"status": Status.RETRYING, "error": "x"}, "report_retrying_has_time"),
        ({"storage_key": "a/b/c.pdf", "is_confirmed": True}, "report_document_whole_or_none"),
        ({"sha256": "0" * 64}, "report_document_whole_or_none"),
        ({**DOCUMENT, "size": None}, "report_document_whole_or_none"),
        ({**DOCUMENT, "size": 0}, "report_document_whole_or_none"),
        ({**DOCUMENT, "sha256": "ABC"}, "report_document_whole_or_none"),
        ({**DOCUMENT, "pages": None}, "report_pdf_has_pages"),
        ({**DOCUMENT, "is_confirmed": False}, "report_document_only_for_owner"),
    ],
)
def test_the_database_refuses_rows_that_cannot_be(fields: dict[str, Any], constraint: str) -> None:
    usual = {"assessment_id": uuid4(), "user_id": ANNA, "kind": Kind.PDF, "queue": QUEUE, "msg_id": 1}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Report.objects.create(**{**usual, **fields})


def test_no_two_reports_share_an_object_or_a_place() -> None:
    usual = {"user_id": ANNA, "kind": Kind.PDF, "queue": QUEUE, "msg_id": 1, **DOCUMENT}
    first = Report.objects.create(assessment_id=uuid4(), **usual)
    with pytest.raises(IntegrityError, match="report_key_unique"), transaction.atomic():
        Report.objects.create(assessment_id=uuid4(), **usual)
    with pytest.raises(IntegrityError, match="report_unique"), transaction.atomic():
        Report.objects.create(assessment_id=first.assessment_id, **{**usual, "storage_key": "other"})


def test_a_report_that_cannot_be_settled_keeps_no_other_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.making.upkeep.MOST_ROWS", 2)
    waiting = asked()
    age(waiting)
    lost = [Report.objects.create(**lost_report(number)) for number in range(2)]
    for report in lost:
        age(report)
    poison("reports_report", "id", lost[0].pk)
    assert settle_stuck_reports() == 1
    lost[1].refresh_from_db()
    assert lost[1].status == Status.FAILED


def test_a_report_that_cannot_be_deleted_keeps_no_other_from_it() -> None:
    gone = [
        Report.objects.create(**lost_report(number), **DOCUMENT | {"storage_key": f"a/b/{number}.pdf"})
        for number in range(2)
    ]
    poison("reports_report", "id", gone[0].pk)
    assert forget_abandoned() == 1
    assert list(Report.objects.values_list("pk", flat=True)) == [gone[0].pk]


def test_a_document_that_an_attempt_stores_meanwhile_goes_with_its_report() -> None:
    gone = Report.objects.create(**lost_report(1))
    Report.objects.update(updated_at=timezone.now() - FAILURES_STAY)
    assert overlap(lambda: Report.objects.filter(pk=gone.pk).update(**DOCUMENT), forget_abandoned)
    assert not Report.objects.exists()
    assert [left.key for left in Leftover.objects.all()] == [DOCUMENT["storage_key"]]


def test_a_report_that_is_its_owners_again_when_its_turn_comes_is_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = make(kind="json")
    monkeypatch.setattr(upkeep, "find_abandoned", lambda **_: [kept.pk, uuid4()])
    assert forget_abandoned() == 0
    assert list(Report.objects.all()) == [kept]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_report_is_kept_when_owners_are_hidden_from_us_right_before_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Report.objects.create(**lost_report(1), **DOCUMENT)

    def hidden(*tables: str) -> None:
        raise RowsHidden(f"row security hides rows of {tables}")

    monkeypatch.setattr(upkeep, "require_sight", hidden)
    assert forget_abandoned() == 0
    assert list(Report.objects.all()) == [kept]


def test_an_object_that_an_attempt_adopts_meanwhile_is_kept(storage_server: StorageServer) -> None:
    report = make(kind="json")
    for key in ("first", report.storage_key, "last"):
        Leftover.objects.create(key=key, due_at=timezone.now())

    def adopt(key: str) -> None:
        Leftover.objects.filter(key=report.storage_key).update(due_at=timezone.now() + timedelta(hours=1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upkeep, "delete_object", adopt)
        assert remove_leftovers() == 2
    assert storage_server.object_keys() == [report.storage_key]
    assert [left.key for left in Leftover.objects.all()] == [report.storage_key]


def test_a_storage_that_removes_nothing_is_asked_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(upkeep.MOST_REFUSED + 2):
        Leftover.objects.create(key=f"a/b/{number}.pdf", due_at=timezone.now())
    asked_for: list[str] = []

    def refuse(key: str) -> None:
        asked_for.append(key)
        raise PermissionError(key)

    monkeypatch.setattr(upkeep, "delete_object", refuse)
    assert remove_leftovers() == 0
    assert len(asked_for) == upkeep.MOST_REFUSED


def test_an_object_that_the_storage_will_not_remove_keeps_no_other_from_it(
    storage_server: StorageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    keys = [f"reports/{number}.pdf" for number in range(3)]
    for place, key in enumerate(keys):
        Leftover.objects.create(key=key, due_at=now - timedelta(hours=3 - place))
    honest = delete_object

    def refuse_first(key: str) -> None:
        if key == keys[0]:
            raise StorageError("403: this object is locked")
        honest(key)

    monkeypatch.setattr("reports.making.upkeep.delete_object", refuse_first)
    assert remove_leftovers() == 2
    left = Leftover.objects.get()
    # Behind all that were due before.
    assert left.key == keys[0]
    assert left.due_at >= now
