"""A message of the mail queue from its claim to its outcome: what is sent, and what the mail log says about it."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone
from pytest_django import Settings

from bridge import outcome
from bridge.errors import DuplicateMessage, TokenLost
from bridge.message import LastError, Reason
from bridge.queues import registry
from bridge.reasons import FailureReason
from notifications import mail_log
from notifications.errors import DeliveryDeferred
from notifications.mail_log import start_sending
from notifications.models import EmailMessage, Status
from notifications.queue import QUEUE
from notifications.sending.mailer import mailer
from notifications.tasks import send_email
from notifications.writing.rendering import render_email
from notifications.writing.request import EmailRequest
from sandbox.mailbox import Mailbox, Verdict
from tests.support import deliveries
from tests.support.databases import ClonedDatabase
from tests.support.email_deliveries import attempt, claim, email_queue, enqueue, outcome_of, read_one, row_of
from tests.support.email_samples import message_body
from tests.support.requeueing import put_back

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _no_kept_connection() -> Iterator[None]:
    """Each test has a mail server of its own."""
    yield
    mailer.close()


def start(msg_id: int) -> EmailMessage:
    message = claim(msg_id)
    request = EmailRequest.parse(message.body)
    return start_sending(message, request, render_email(request, at=timezone.now()))


def test_a_sent_mail_is_logged_as_it_went_out(mailbox: Mailbox) -> None:
    msg_id = enqueue("checkup_completed", to="Parent@Example.org")
    row = attempt(msg_id)
    (mail,) = mailbox.messages
    assert outcome_of(msg_id) == ("succeeded", None)
    assert (row.status, row.attempts, row.error, row.reason) == (Status.SENT, 1, "", "")
    assert (row.recipient, row.subject, row.template) == ("Parent@Example.org", "Тема письма", "checkup_completed")
    assert (row.provider, row.provider_message_id, row.trace_id) == ("smtp", "2.0.0 Kept", "0123456789abcdef")
    assert row.message_id == mail.message_id
    assert row.html_body.splitlines() == mail.html.splitlines()
    assert row.text_body.splitlines() == mail.text.splitlines()
    assert row.sent_at is not None


def test_a_mail_that_is_put_off_twice_goes_out_at_the_third_try_under_one_message_id(mailbox: Mailbox) -> None:
    msg_id = enqueue("payment_failed", to="parent+refuse2@example.org")
    row = attempt(msg_id)
    assert (row.status, row.attempts, row.error_type) == (Status.RETRYING, 1, "DeliveryDeferred")
    assert row.error == "the mail server refused the mail: 451 4.3.0 Try again later"
    assert row.next_retry_at is not None
    assert attempt(msg_id).status == Status.RETRYING
    row = attempt(msg_id)
    assert (row.status, row.attempts, row.error, row.next_retry_at) == (Status.SENT, 3, "", None)
    assert [tried.verdict for tried in mailbox.attempts] == [Verdict.REFUSED, Verdict.REFUSED, Verdict.ACCEPTED]
    assert {tried.message_id for tried in mailbox.attempts} == {row.message_id}


def test_a_mail_that_is_always_put_off_fails_after_its_repeats(mailbox: Mailbox) -> None:
    msg_id = enqueue("payment_failed", to="parent+always451@example.org")
    rows = [attempt(msg_id) for _ in range(registry.get(QUEUE).most_attempts)]
    assert [row.status for row in rows] == [Status.RETRYING] * 5 + [Status.FAILED]
    assert (rows[-1].attempts, rows[-1].reason) == (6, FailureReason.RETRIES_EXHAUSTED)
    assert outcome_of(msg_id) == ("failed", "retries_exhausted")
    assert mailbox.messages == []


@pytest.mark.parametrize(
    ("body", "reason", "error"),
    [
        ({"to": "nobody"}, "permanent_error", 'the address in "to" is not a valid mail address'),
        ({"to": "no+reject550@example.org"}, "permanent_error", "the mail server refused the recipient: 550"),
        ({"template": "newsletter"}, "permanent_error", "there is no mail template 'newsletter'"),
        (
            {"variables": {"payment_id": "1"}},
            "permanent_error",
            "template payment_failed: the variable amount is missing",
        ),
        ({"variables": 5}, "invalid_message", 'the key "variables" must be an object'),
        ({"to": {}}, "invalid_message", 'the key "to" must be a string'),
    ],
)
def test_a_mail_that_cannot_be_sent_fails_at_once_with_a_readable_error(
    body: dict[str, Any], reason: str, error: str, mailbox: Mailbox
) -> None:
    usual = {"to": "parent@example.org", "subject": "Тема", "template": "payment_failed"}
    usual_variables = {"variables": {"payment_id": "1", "amount": 1}}
    msg_id = email_queue().send(usual | usual_variables | body)
    row = attempt(msg_id)
    assert (row.status, row.reason, row.attempts) == (Status.FAILED, reason, 1)
    assert row.error.startswith(error)
    assert outcome_of(msg_id) == ("failed", reason)
    assert row.subject == "Тема"
    assert mailbox.messages == []


def test_a_message_that_never_reached_a_worker_has_a_row_too() -> None:
    bodies: list[object] = ["text", 5, None, [1, 2], {"to": ["x"], "subject": {}, "template": "я" * 5000}]
    for body in bodies:
        msg_id = email_queue().send(body)
        message = email_queue().load(read_one(msg_id).token)
        assert message is not None
        outcome.fail(registry.get(QUEUE), message, Reason.WORKER_LOST, LastError("WorkerLost", "the worker died\x1b"))
        row = row_of(msg_id)
        assert (row.status, row.reason, row.error) == (Status.FAILED, FailureReason.WORKER_LOST, "the worker died")
        assert (row.recipient, row.subject, row.html_body) == ("", "", "")
    assert row.template == "я" * 99 + "…"


def test_a_mail_whose_worker_died_is_sent_again_under_the_same_message_id(mailbox: Mailbox) -> None:
    msg_id = enqueue("payment_failed")
    lost = start(msg_id)
    row = attempt(msg_id)
    assert (row.pk, row.status, row.attempts) == (lost.pk, Status.SENT, 2)
    assert [mail.message_id for mail in mailbox.messages] == [lost.message_id]


def test_an_attempt_that_was_overtaken_sends_nothing() -> None:
    msg_id = enqueue("payment_failed")
    first = claim(msg_id)
    start(msg_id)
    request = EmailRequest.parse(first.body)
    with pytest.raises(TokenLost, match="attempt 2 runs already"):
        start_sending(first, request, render_email(request, at=timezone.now()))
    assert row_of(msg_id).attempts == 2


def test_an_outcome_that_is_rolled_back_takes_the_row_along() -> None:
    msg_id = enqueue("payment_failed")
    message = claim(msg_id)
    stale = read_one(msg_id)
    with pytest.raises(TokenLost):
        outcome.fail(registry.get(QUEUE), message, Reason.PERMANENT_ERROR, LastError("X", "x"))
    assert stale.msg_id == msg_id
    assert EmailMessage.objects.count() == 0


def test_no_transaction_is_open_while_a_mail_is_sent(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, str]] = []
    send = mailer.send

    def watch(email: Any) -> Any:
        seen.append((connection.in_atomic_block, EmailMessage.objects.get().status))
        return send(email)

    monkeypatch.setattr(mailer, "send", watch)
    attempt(enqueue("payment_failed"))
    assert seen == [(False, Status.SENDING)]


def test_the_second_of_two_equal_reminders_is_archived_as_a_duplicate(mailbox: Mailbox) -> None:
    first, second = enqueue("appointment_reminder_24h"), enqueue("appointment_reminder_24h")
    original, duplicate = attempt(first), attempt(second)
    assert (original.status, duplicate.status) == (Status.SENT, Status.DUPLICATE)
    assert duplicate.duplicate_of == original
    assert duplicate.error == f"the same mail was asked for by message {first}"
    history = email_queue().archived_history(second)
    assert history is not None
    assert (history["outcome"], history["original"]) == ("duplicate", first)
    assert len(mailbox.messages) == 1


def test_a_reminder_for_somebody_else_or_of_another_time_is_not_a_duplicate(mailbox: Mailbox) -> None:
    attempt(enqueue("appointment_reminder_24h"))
    attempt(enqueue("appointment_reminder_24h", to="stranger@example.org"))
    attempt(enqueue("appointment_reminder_24h", scheduled_at="2026-11-24T11:30:00Z"))
    attempt(enqueue("appointment_reminder_1h"))
    assert EmailMessage.objects.filter(status=Status.SENT).count() == len(mailbox.messages) == 4


def test_a_reminder_that_failed_gives_way_to_its_copy(mailbox: Mailbox, settings: Settings) -> None:
    to = "parent+reject550@example.org"
    assert attempt(enqueue("appointment_reminder_24h", to=to)).status == Status.FAILED
    second = enqueue("appointment_reminder_24h", to=to)
    assert attempt(second).status == Status.FAILED
    assert outcome_of(second) == ("failed", "permanent_error")


def test_a_duplicate_whose_outcome_was_lost_is_one_again(mailbox: Mailbox) -> None:
    attempt(enqueue("appointment_reminder_24h"))
    second = enqueue("appointment_reminder_24h")
    with pytest.raises(DuplicateMessage):
        start(second)
    assert attempt(second).status == Status.DUPLICATE
    assert row_of(second).attempts == 2


def test_of_two_workers_with_equal_reminders_one_sends(database: ClonedDatabase) -> None:
    messages = [claim(enqueue("appointment_reminder_24h")) for _ in range(2)]
    barrier, results = threading.Barrier(2, timeout=20), []

    def work(number: int) -> None:
        request = EmailRequest.parse(messages[number].body)
        rendered = render_email(request, at=timezone.now())
        barrier.wait()
        try:
            results.append(start_sending(messages[number], request, rendered).status)
        except DuplicateMessage as duplicate:
            results.append(f"duplicate of {duplicate.original}")
        finally:
            connections.close_all()

    run_together([lambda: work(0), lambda: work(1)])
    (winner,) = EmailMessage.objects.filter(status=Status.SENDING)
    assert sorted(results) == [f"duplicate of {winner.msg_id}", Status.SENDING]
    assert EmailMessage.objects.get(status=Status.DUPLICATE).duplicate_of == winner


def run_together(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)


def test_a_mail_that_is_sent_again_says_where_it_comes_from(mailbox: Mailbox) -> None:
    failed = enqueue("payment_failed", to="nobody")
    attempt(failed)
    again = put_back(QUEUE, failed)
    row = attempt(again)
    assert (row.requeued_from, row.attempts, row.status) == (failed, 1, Status.FAILED)


def test_a_queue_that_was_made_anew_starts_new_rows(mailbox: Mailbox) -> None:
    msg_id = enqueue("payment_failed")
    old = start(msg_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue(%s)", [QUEUE])
        cursor.execute("SELECT pgmq.create(%s)", [QUEUE])
    assert enqueue("payment_failed") == msg_id
    new = attempt(msg_id)
    old.refresh_from_db()
    assert (old.msg_id, old.status, old.reason) == (None, Status.FAILED, FailureReason.MESSAGE_GONE)
    assert (new.status, new.pk != old.pk) == (Status.SENT, True)
    assert new.message_id != old.message_id


def test_headers_of_a_stranger_break_nothing(mailbox: Mailbox) -> None:
    headers = {"bridge": {"requeued_from": 10**40, "attempts": -5, "trace_id": "x" * 1000}}
    msg_id = email_queue().send(EMAIL, headers=headers)
    row = attempt(msg_id)
    assert (row.status, row.requeued_from, row.attempts) == (Status.SENT, None, 1)


EMAIL = {
    "to": "parent@example.org",
    "subject": "Тема\r\nBcc: everybody@example.org",
    "template": "payment_failed",
    "variables": {"payment_id": "1", "amount": 1},
}


def test_a_subject_cannot_smuggle_a_header(mailbox: Mailbox) -> None:
    attempt(email_queue().send(EMAIL))
    (mail,) = mailbox.messages
    assert mail.subject.strip() == "Тема Bcc: everybody@ example. org"
    assert mail.message["Bcc"] is None


def test_the_database_refuses_a_row_that_makes_no_sense() -> None:
    now = timezone.now()
    nonsense: list[tuple[dict[str, Any], str]] = [
        ({"status": "sent"}, "email_sent_has_time"),
        ({"status": "sending", "sent_at": now}, "email_sent_has_time"),
        ({"status": "sent", "sent_at": now}, "email_sent_is_complete"),
        ({"status": "retrying", "error": "x"}, "email_retrying_has_time"),
        ({"status": "failed", "error": "x"}, "email_failed_has_reason"),
        ({"status": "failed", "reason": "permanent_error"}, "email_trouble_has_error"),
        ({"status": "sending", "reason": "permanent_error"}, "email_failed_has_reason"),
        ({"status": "lost"}, "email_status_known"),
    ]
    for fields, constraint in nonsense:
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            EmailMessage.objects.create(queue=QUEUE, msg_id=1, enqueued_at=now, **fields)


def test_a_message_has_one_row() -> None:
    EmailMessage.objects.create(queue=QUEUE, msg_id=1, enqueued_at=timezone.now())
    with pytest.raises(IntegrityError, match="email_queue_msg_id_unique"), transaction.atomic():
        EmailMessage.objects.create(queue=QUEUE, msg_id=1, enqueued_at=timezone.now() + timedelta(days=1))


def test_mails_that_nobody_began_to_send_fill_no_table(monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox) -> None:
    monkeypatch.setattr(mail_log, "MOST_NOTED", 2)
    for number in range(4):
        msg_id = email_queue().send({**message_body("checkup_completed"), "template": f"no such {number}"})
        deliveries.attempt(send_email, msg_id, DeliveryDeferred)
        # The archive says it of each.
        assert outcome_of(msg_id)[0] == "failed"
    assert EmailMessage.objects.filter(status=Status.FAILED).count() == 2
    # A mail of somebody's goes on as ever.
    assert attempt(enqueue("checkup_completed")).status == Status.SENT
    EmailMessage.objects.filter(status=Status.FAILED).update(created_at=timezone.now() - timedelta(hours=1))
    assert mail_log._room_for_failed() == 2


def test_a_mail_that_somebody_began_to_send_keeps_its_row_in_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    msg_id = enqueue("checkup_completed")
    message = claim(msg_id)
    request = EmailRequest.parse(message.body)
    row = start_sending(message, request, render_email(request, at=timezone.now()))
    monkeypatch.setattr(mail_log, "MOST_NOTED", 0)
    with transaction.atomic():
        mail_log.mark_failed(message, Reason.RETRIES_EXHAUSTED, LastError("X", "no answer"))
    row.refresh_from_db()
    assert row.status == Status.FAILED
