"""Several attempts at one report, and attempts that die: object, row and mail agree in the end."""

from datetime import timedelta
from hashlib import sha256

import pytest
from django.db import transaction

from bridge import outcome
from bridge.errors import TokenLost
from bridge.message import LastError, Reason
from bridge.queues import registry
from reports.making.asking import request_report
from reports.making.outcomes import UploadExpired, fail_report, start_report
from reports.making.upkeep import remove_leftovers
from reports.models import Kind, Leftover, Report, RequestedBy, Status
from reports.queue import QUEUE, ReportRequest
from sandbox.storage import StorageServer
from tests.support.overlapping import overlap
from tests.support.report_deliveries import (
    ANNA,
    MARIA_CHECKUP,
    SteppedAttempt,
    attempt,
    change_results,
    claim,
    enqueue,
    make,
    make_leftovers_due,
    outcome_of,
    queued_mails,
    sent_ago,
)

pytestmark = pytest.mark.usefixtures("seeded_database", "storage_server")


def test_two_messages_at_the_same_time_store_one_report_and_send_one_mail(storage_server: StorageServer) -> None:
    slow, fast = SteppedAttempt(enqueue()), SteppedAttempt(enqueue())
    slow.upload()
    fast.upload()
    fast.finish()
    slow.finish()
    report = Report.objects.get()
    assert (report.status, report.storage_key, report.msg_id) == (Status.STORED, fast.key, fast.message.msg_id)
    assert len(queued_mails()) == 1
    make_leftovers_due()
    remove_leftovers()
    assert storage_server.object_keys() == [fast.key]


def test_the_newer_results_win_whoever_is_faster(storage_server: StorageServer) -> None:
    older = SteppedAttempt(enqueue())
    older.upload()
    change_results()
    newer = SteppedAttempt(enqueue())
    newer.upload()
    newer.finish()
    older.finish()
    report = Report.objects.get()
    assert report.sha256 == newer.document.sha256 != older.document.sha256
    assert sha256(storage_server.store.get("reports", report.storage_key).content).hexdigest() == report.sha256
    assert len(queued_mails()) == 1


def test_the_newer_results_win_at_the_very_same_time(storage_server: StorageServer) -> None:
    older = SteppedAttempt(enqueue())
    older.upload()
    change_results()
    newer = SteppedAttempt(enqueue())
    newer.upload()
    assert overlap(newer.finish, older.finish)
    assert Report.objects.get().sha256 == newer.document.sha256


@pytest.mark.parametrize("name", ["starts", "asks", "fails"])
def test_who_writes_about_the_report_while_its_document_is_stored_does_not_lose_that(
    storage_server: StorageServer, name: str
) -> None:
    made = SteppedAttempt(enqueue())
    made.upload()
    other = claim(enqueue())
    writes = {
        "starts": lambda: start_report(message=other, request=ReportRequest.parse(other.body)),
        "asks": lambda: request_report(
            assessment_id=MARIA_CHECKUP, user_id=ANNA, kind=Kind.PDF, requested_by=RequestedBy.OWNER
        ),
        "fails": lambda: fail_report(message=made.message, reason=Reason.WORKER_LOST, error=LastError("X", "y")),
    }
    assert overlap(made.finish, writes[name])
    assert Report.objects.get().storage_key == made.key


def test_older_results_do_not_come_back_while_the_report_is_asked_for_again() -> None:
    older = SteppedAttempt(enqueue())
    older.upload()
    change_results()
    make()
    newer = Report.objects.get()
    asked = request_report(assessment_id=MARIA_CHECKUP, user_id=ANNA, kind=Kind.PDF, requested_by=RequestedBy.OWNER)
    older.finish()
    report = Report.objects.get()
    assert (report.status, report.msg_id) == (Status.QUEUED, asked.msg_id)
    assert (report.storage_key, report.sha256) == (newer.storage_key, newer.sha256)
    assert len(queued_mails()) == 1


def test_messages_that_waited_while_the_report_was_made_make_no_other(storage_server: StorageServer) -> None:
    waiting = [enqueue(), enqueue()]
    sent_ago(waiting[0], timedelta(minutes=2))
    made = make()
    for msg_id in waiting:
        attempt(msg_id)
    # The second may have been sent early in a transaction that brought new results.
    assert [outcome_of(msg_id)[0] for msg_id in waiting] == ["duplicate", "succeeded"]
    report = Report.objects.get()
    assert (report.status, report.msg_id, report.sha256) == (Status.STORED, waiting[1], made.sha256)
    assert len(storage_server.object_keys()) == 2


def test_a_message_whose_first_attempt_died_is_answered_by_what_another_made_meanwhile() -> None:
    msg_id = enqueue()
    sent_ago(msg_id, timedelta(minutes=2))
    other = SteppedAttempt(enqueue())
    other.upload()
    SteppedAttempt(msg_id)
    other.finish()
    assert Report.objects.get().status == Status.RENDERING
    attempt(msg_id)
    assert outcome_of(msg_id)[0] == "duplicate"
    report = Report.objects.get()
    assert (report.status, report.storage_key) == (Status.STORED, other.key)


def test_an_earlier_message_stores_its_report_while_a_later_one_still_works() -> None:
    first, second = SteppedAttempt(enqueue()), SteppedAttempt(enqueue())
    first.upload()
    first.finish()
    report = Report.objects.get()
    assert (report.status, report.storage_key) == (Status.RENDERING, first.key)
    second.upload()
    second.finish()
    report = Report.objects.get()
    assert (report.status, report.storage_key) == (Status.STORED, second.key)
    assert len(queued_mails()) == 1


def test_the_failure_of_an_earlier_message_does_not_touch_the_report_of_a_later_one() -> None:
    first = SteppedAttempt(enqueue())
    make()
    outcome.fail(registry.get(QUEUE), first.message, Reason.RETRIES_EXHAUSTED, LastError("OSError", "no"))
    assert Report.objects.get().status == Status.STORED


def test_an_attempt_that_died_after_its_upload_is_repeated_and_mails_once(storage_server: StorageServer) -> None:
    msg_id = enqueue()
    died = SteppedAttempt(msg_id)
    died.upload()
    assert queued_mails() == []
    attempt(msg_id)
    report = Report.objects.get()
    assert (report.status, report.attempts) == (Status.STORED, 2)
    assert len(queued_mails()) == 1
    make_leftovers_due()
    remove_leftovers()
    assert storage_server.object_keys() == [report.storage_key]
    with pytest.raises(TokenLost):
        died.finish()
    assert len(queued_mails()) == 1


def test_an_outcome_that_is_rolled_back_leaves_neither_row_nor_mail() -> None:
    made = SteppedAttempt(enqueue())
    made.upload()
    with transaction.atomic():
        made.record()
        transaction.set_rollback(True)
    report = Report.objects.get()
    assert (report.status, report.has_document) == (Status.RENDERING, False)
    assert queued_mails() == []
    assert Leftover.objects.get().key == made.key


def test_an_object_that_may_be_gone_is_never_adopted(storage_server: StorageServer) -> None:
    made = SteppedAttempt(enqueue())
    made.upload()
    make_leftovers_due()
    remove_leftovers()
    with pytest.raises(UploadExpired):
        made.finish()
    assert not Report.objects.get().has_document
    assert storage_server.object_keys() == []


def test_an_object_that_is_due_to_be_removed_is_not_adopted_either() -> None:
    made = SteppedAttempt(enqueue(kind="json"))
    made.upload()
    make_leftovers_due()
    with pytest.raises(UploadExpired):
        made.finish()
    assert not Report.objects.get().has_document


def test_each_document_that_was_replaced_goes_however_often_that_happens(storage_server: StorageServer) -> None:
    last = [make(kind="json") for _ in range(3)][-1]
    make_leftovers_due()
    assert remove_leftovers() == 2
    assert storage_server.object_keys() == [last.storage_key]


def test_a_report_is_there_when_an_earlier_message_made_it_after_the_later_one_failed() -> None:
    first, later = SteppedAttempt(enqueue(kind="json")), SteppedAttempt(enqueue(kind="json"))
    first.upload()
    outcome.fail(registry.get(QUEUE), later.message, Reason.RETRIES_EXHAUSTED, LastError("OSError", "no"))
    assert Report.objects.get().status == Status.FAILED
    first.finish()
    report = Report.objects.get()
    assert (report.status, report.error) == (Status.STORED, "")


def test_a_late_attempt_of_a_message_gives_way_to_the_next() -> None:
    msg_id = enqueue()
    early = claim(msg_id)
    start_report(message=claim(msg_id), request=ReportRequest.parse(early.body))
    with pytest.raises(TokenLost):
        start_report(message=early, request=ReportRequest.parse(early.body))
