"""Rows that fell behind their message, and texts whose time is up."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from bridge.message import LastError, Outcome, Reason
from bridge.reasons import FailureReason
from notifications import upkeep
from notifications.models import EmailMessage, Status
from notifications.queue import QUEUE
from notifications.tasks import check_stuck_emails, forget_old_bodies
from notifications.upkeep import forget_bodies, settle_stuck_emails
from tests.support.email_deliveries import claim, email_queue, enqueue

pytestmark = pytest.mark.usefixtures("database")

LONG_AGO = timedelta(hours=2)


def stuck_row(msg_id: int | None, **fields: object) -> EmailMessage:
    """A row without news for two hours."""
    values: dict[str, Any] = {
        "recipient": "parent@example.org",
        "message_id": "<1@example.org>",
        "attempts": 1,
    } | fields
    row = EmailMessage.objects.create(queue=QUEUE, msg_id=msg_id, enqueued_at=timezone.now(), **values)
    EmailMessage.objects.filter(pk=row.pk).update(updated_at=timezone.now() - LONG_AGO)
    return row


def finish(
    outcome: Outcome, reason: Reason | None = None, error: LastError | None = None, original: int | None = None
) -> int:
    """Archive a message behind the back of the mail log."""
    msg_id = enqueue("payment_failed")
    assert email_queue().finish(claim(msg_id), outcome, reason=reason, error=error, original=original)
    return msg_id


def test_a_mail_whose_message_succeeded_counts_as_sent() -> None:
    before = timezone.now()
    row = stuck_row(finish(Outcome.SUCCEEDED))
    assert settle_stuck_emails() == 1
    row.refresh_from_db()
    assert row.status == Status.SENT
    assert row.sent_at is not None
    assert before <= row.sent_at <= timezone.now()


def test_a_mail_whose_message_failed_takes_over_reason_and_error() -> None:
    row = stuck_row(finish(Outcome.FAILED, Reason.WORKER_LOST, LastError("WorkerLost", "the worker died")))
    settle_stuck_emails()
    row.refresh_from_db()
    assert (row.status, row.reason, row.error) == (Status.FAILED, FailureReason.WORKER_LOST, "the worker died")


def test_a_mail_whose_message_was_a_duplicate_is_one() -> None:
    row = stuck_row(finish(Outcome.DUPLICATE, error=LastError("DuplicateMessage", "as message 1"), original=1))
    settle_stuck_emails()
    row.refresh_from_db()
    assert (row.status, row.reason, row.error) == (Status.DUPLICATE, "", "as message 1")


def test_a_mail_that_nobody_can_have_got_does_not_count_as_sent() -> None:
    rows = [stuck_row(finish(Outcome.SUCCEEDED), **fields) for fields in ({"recipient": ""}, {"message_id": ""})]
    assert settle_stuck_emails() == 2
    assert {EmailMessage.objects.get(pk=row.pk).status for row in rows} == {Status.FAILED}


def test_a_mail_whose_message_came_back_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = stuck_row(enqueue("payment_failed"))
    monkeypatch.setattr(upkeep, "without_message", lambda rows: [pk for pk, *_ in rows])
    assert settle_stuck_emails() == 0
    row.refresh_from_db()
    assert row.status == Status.SENDING
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("status", [Status.SENDING, Status.RETRYING])
def test_a_mail_whose_message_vanished_failed_and_gives_its_key_back(status: Status) -> None:
    due = timezone.now() - LONG_AGO if status is Status.RETRYING else None
    row = stuck_row(12345, status=status, next_retry_at=due, error="x", dedupe_key="key")
    assert settle_stuck_emails() == 1
    row.refresh_from_db()
    assert (row.status, row.reason, row.next_retry_at) == (Status.FAILED, FailureReason.MESSAGE_GONE, None)
    assert row.error == "the message was deleted from the queue before this mail was finished"
    EmailMessage.objects.create(queue=QUEUE, msg_id=1, enqueued_at=timezone.now(), dedupe_key="key")


def test_a_message_that_somebody_else_archived_is_gone_too() -> None:
    msg_id = enqueue("payment_failed")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.archive(%s, %s::bigint)", [QUEUE, msg_id])
    row = stuck_row(msg_id)
    settle_stuck_emails()
    row.refresh_from_db()
    assert (row.status, row.reason) == (Status.FAILED, FailureReason.MESSAGE_GONE)
    assert "archived by somebody else" in row.error


def test_a_mail_whose_message_is_known_to_be_gone_says_that_its_queue_was_dropped() -> None:
    row = stuck_row(None)
    assert settle_stuck_emails() == 1
    row.refresh_from_db()
    assert (row.status, row.error) == (Status.FAILED, "the queue of this mail was dropped")


def test_a_mail_of_a_dropped_queue_is_gone() -> None:
    rows = [stuck_row(1), stuck_row(None)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue(%s)", [QUEUE])
    assert settle_stuck_emails() == 2
    assert {EmailMessage.objects.get(pk=row.pk).reason for row in rows} == {FailureReason.MESSAGE_GONE}


def test_a_mail_whose_message_waits_is_left_alone_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    row = stuck_row(enqueue("payment_failed"))
    with caplog.at_level(logging.WARNING, logger="notifications"):
        check_stuck_emails()
    row.refresh_from_db()
    assert row.status == Status.SENDING
    assert "1 emails wait for a worker" in caplog.text


def test_mails_with_recent_news_or_a_coming_attempt_are_left_alone() -> None:
    fresh = EmailMessage.objects.create(queue=QUEUE, msg_id=777, enqueued_at=timezone.now())
    coming = stuck_row(778, status=Status.RETRYING, next_retry_at=timezone.now() + LONG_AGO, error="x")
    done = stuck_row(779, status=Status.FAILED, reason=FailureReason.PERMANENT_ERROR, error="x")
    assert settle_stuck_emails() == 0
    before = {fresh.pk: Status.SENDING, coming.pk: Status.RETRYING, done.pk: Status.FAILED}
    assert dict(EmailMessage.objects.values_list("pk", "status")) == before


def first_news(monkeypatch: pytest.MonkeyPatch, name: str, row: EmailMessage, **news: object) -> None:
    """Let the row get news while `settle_stuck_emails` is at this step of its look."""
    step = getattr(upkeep, name)

    def with_news(*args: Any) -> Any:
        found = step(*args)
        EmailMessage.objects.filter(pk=row.pk).update(**news)
        return found

    monkeypatch.setattr(upkeep, name, with_news)


SENT = {"status": Status.SENT, "sent_at": Now()}
AGAIN = {"updated_at": Now()}


@pytest.mark.parametrize(
    ("step", "news"),
    [("without_message", SENT), ("_outcome_of", SENT), ("_outcome_of", AGAIN)],
    ids=["sent before its turn", "sent in its turn", "tried again in its turn"],
)
def test_a_mail_that_gets_news_while_it_is_looked_at_is_left_as_it_is_now(
    monkeypatch: pytest.MonkeyPatch, step: str, news: dict[str, Any]
) -> None:
    row = stuck_row(12345)
    first_news(monkeypatch, step, row, **news)
    assert settle_stuck_emails() == 0
    row.refresh_from_db()
    assert (row.status, row.reason, row.error) == (news.get("status", Status.SENDING), "", "")


def body_of(age: timedelta, status: Status, msg_id: int) -> str:
    """What is left of the body of a mail of that age."""
    fields: dict[Status, dict[str, Any]] = {
        Status.SENT: {"sent_at": timezone.now(), "recipient": "a@example.org", "message_id": "<1@example.org>"},
        Status.FAILED: {"reason": FailureReason.PERMANENT_ERROR, "error": "x"},
        Status.SENDING: {},
    }
    row = EmailMessage.objects.create(
        queue=QUEUE,
        msg_id=msg_id,
        enqueued_at=timezone.now(),
        status=status,
        html_body="<p>",
        text_body="t",
        **fields[status],
    )
    EmailMessage.objects.filter(pk=row.pk).update(created_at=timezone.now() - age)
    forget_old_bodies()
    row.refresh_from_db()
    return row.html_body + row.text_body


def test_only_old_finished_mails_lose_their_text(settings: Settings) -> None:
    settings.EMAIL_BODY_DAYS = 30
    old, young = timedelta(days=31), timedelta(days=29)
    assert body_of(old, Status.SENT, 1) == ""
    assert body_of(old, Status.FAILED, 2) == ""
    assert body_of(old, Status.SENDING, 3) == "<p>t"
    assert body_of(young, Status.SENT, 4) == "<p>t"


def test_texts_are_forgotten_in_batches_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.upkeep.BATCH", 2)
    reason = FailureReason.PERMANENT_ERROR
    for msg_id in range(5):
        EmailMessage.objects.create(
            queue=QUEUE,
            msg_id=msg_id,
            enqueued_at=timezone.now(),
            status="failed",
            reason=reason,
            error="x",
            text_body="t",
        )
    EmailMessage.objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert (forget_bodies(), forget_bodies()) == (5, 0)


def test_rows_of_refused_mails_go_with_their_messages(settings: Settings) -> None:
    settings.BRIDGE_ARCHIVE_DAYS = 10
    refused = {"status": Status.FAILED, "reason": FailureReason.REFUSED, "error": "no customer's"}
    others = {**refused, "reason": FailureReason.PERMANENT_ERROR}
    old, failed, fresh = stuck_row(1, **refused), stuck_row(2, **others), stuck_row(3, **refused)
    # Nobody ever began to send this one: it made no sense.
    stuck_row(4, **{**others, "message_id": ""})
    EmailMessage.objects.exclude(pk=fresh.pk).update(created_at=timezone.now() - timedelta(days=11))
    forget_old_bodies()
    assert set(EmailMessage.objects.values_list("pk", flat=True)) == {failed.pk, fresh.pk}
    assert old.pk not in {failed.pk, fresh.pk}
