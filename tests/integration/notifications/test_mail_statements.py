"""What a mail costs Postgres: how many round trips, and no column written that stays as it is."""

import re
from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import Settings

from bridge.models import OutsideService
from bridge.sql import prepared
from notifications.mail_log import start_sending
from notifications.models import Status
from notifications.sending.mailer import mailer
from notifications.tasks import send_email
from notifications.writing.rendering import render_email
from notifications.writing.request import EmailRequest
from payments.models import Payment
from tests.support.checkouts import make_checkout
from tests.support.databases import ClonedDatabase
from tests.support.email_deliveries import attempt, claim, enqueue, outcome_of, row_of
from tests.support.scripted_smtp import ScriptedServer
from tests.support.statements import round_trips, written_in_vain

pytestmark = pytest.mark.usefixtures("database")
# By the worker alone: the claim, and the outcome with the mail's row amid it.
CLAIM_AND_OUTCOME = 2


@pytest.fixture(autouse=True)
def _no_kept_connection() -> Iterator[None]:
    yield
    mailer.close()


@pytest.mark.usefixtures("mailbox")
def test_a_mail_about_a_payment_to_its_payer_takes_four_round_trips() -> None:
    checkout = make_checkout()
    address = _address_of(checkout.payment)
    attempt(enqueue("payment_confirmation", to=address, payment_id=str(checkout.pk)))
    msg_id = enqueue("payment_confirmation", to=address, payment_id=str(checkout.pk))
    said = round_trips(send_email, msg_id)
    # What is known of the payment and its payer, and the row with its locks and checks.
    assert len(said) == CLAIM_AND_OUTCOME + 2, said
    assert outcome_of(msg_id) == ("succeeded", None)
    assert row_of(msg_id).status == Status.SENT


@pytest.mark.usefixtures("mailbox")
def test_a_mail_about_something_else_is_sent_after_a_look_at_who_is_a_customer(settings: Settings) -> None:
    attempt(enqueue("checkup_completed"))
    # An address that the settings name needs no look.
    assert len(round_trips(send_email, enqueue("checkup_completed"))) == CLAIM_AND_OUTCOME + 1
    settings.EMAIL_EXTRA_RECIPIENTS = ()
    address = _address_of(make_checkout().payment)
    assert len(round_trips(send_email, enqueue("checkup_completed", to=address))) == CLAIM_AND_OUTCOME + 2


def test_no_column_of_a_mail_is_written_that_stays_as_it_is(settings: Settings) -> None:
    def attempted(msg_id: int, **answers: str) -> tuple[str, str]:
        with ScriptedServer(answers) as server:
            server.use(settings)
            row = attempt(msg_id)
            mailer.close()
        return row.status, row.error_type

    msg_id = enqueue("payment_failed")
    with written_in_vain() as columns:
        assert attempted(enqueue("checkup_completed")) == (Status.SENT, "")
        for _ in range(2):
            assert attempted(msg_id, BODY="451 4.3.0 try later") == (Status.RETRYING, "DeliveryDeferred")
        assert attempted(msg_id) == (Status.SENT, "")
        assert attempted(enqueue("payment_failed"), RCPT="550 5.1.1 who?") == (Status.FAILED, "PermanentError")
    assert columns == []


@pytest.mark.usefixtures("mailbox")
def test_the_bodies_of_a_mail_are_stored_once() -> None:
    def where() -> object:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_column_toast_chunk_id(html_body) FROM notifications_emailmessage")
            (chunks,) = cursor.fetchone()
        return chunks

    msg_id = enqueue("appointment_confirmation")
    message = claim(msg_id)
    request = EmailRequest.parse(message.body)
    start_sending(message, request, render_email(request, at=message.enqueued_at))
    stored = where()
    assert stored is not None
    assert attempt(msg_id).status == Status.SENT
    assert where() == stored


@pytest.mark.usefixtures("mailbox")
def test_the_kept_plan_of_a_mails_row_finds_others_by_the_indexes_that_are_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prepared, "SECONDS", 600.0)
    with connection.cursor() as cursor:
        # Tables as small as those of a test are read whole otherwise.
        cursor.execute("SET enable_seqscan TO off")
        for _ in range(2):
            attempt(enqueue("appointment_reminder_1h"))
        cursor.execute("SET plan_cache_mode TO force_generic_plan")
        cursor.execute("SELECT name, cardinality(parameter_types) FROM pg_prepared_statements")
        plans = []
        for name, given in cursor.fetchall():
            cursor.execute(f"EXPLAIN EXECUTE {name} ({', '.join(['NULL'] * given)})")
            plans.append("\n".join(line for (line,) in cursor.fetchall()))
        cursor.execute("RESET enable_seqscan; RESET plan_cache_mode")
    (plan,) = (plan for plan in plans if plan.startswith("Insert"))
    assert {"email_mailbox_created", "email_dedupe_key_unique"} <= set(re.findall(r"using (\w+)", plan)), plan


@pytest.mark.usefixtures("mailbox")
def test_an_answer_of_a_provider_in_trouble_is_noted_though_nobody_asks_about_a_calm_one() -> None:
    attempt(enqueue("checkup_completed"))
    failing = OutsideService.objects.update_or_create(
        pk="smtp",
        defaults={"failing": [["email_queue", 1]], "failing_since": "2026-01-01T00:00:00+00:00"},
    )[0]
    attempt(enqueue("checkup_completed"))
    failing.refresh_from_db()
    assert (failing.failing, failing.failing_since) == ([], None)


@pytest.mark.usefixtures("mailbox")
def test_a_mail_is_entered_step_by_step_where_a_table_of_this_version_is_not_there_yet(
    database: ClonedDatabase,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE bridge_outsideservice RENAME TO not_yet")
    assert attempt(enqueue("checkup_completed")).status == Status.SENT


def _address_of(payment: Payment) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT email FROM public.users WHERE id = %s", [payment.user_id])
        (email,) = cursor.fetchone()
    return str(email)
