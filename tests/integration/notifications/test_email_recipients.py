"""Who gets mail from us and how much: anybody may put a message into the queue, in whoever's name."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from bridge.errors import Refused
from bridge.reasons import FailureReason
from notifications.errors import CustomersHidden
from notifications.mail_log import start_sending
from notifications.models import EmailMessage, Status
from notifications.recipients import find_unwelcome
from notifications.sending.mailer import mailer
from notifications.writing.rendering import render_email
from notifications.writing.request import EmailRequest
from sandbox.mailbox import Mailbox
from tests.support.email_deliveries import attempt, claim, email_queue, enqueue, outcome_of
from tests.support.report_deliveries import ANNA, MARIA_CHECKUP

pytestmark = pytest.mark.usefixtures("seeded_database")

ANNAS = "anna.sokolova@example.org"
ANNAS_PAYMENT = """
INSERT INTO public.payments (user_id, amount, currency, status) VALUES (%s, 4500, 'RUB', 'pending') RETURNING id::text
"""


@pytest.fixture(autouse=True)
def _nobody_else(settings: Settings) -> Iterator[None]:
    settings.EMAIL_EXTRA_RECIPIENTS = ()
    settings.EMAIL_HOURLY_LIMIT = 3
    yield
    mailer.close()


def change_email(user_id: UUID, email: str | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.users SET email = %s WHERE id = %s", [email, user_id])


def pay(user_id: UUID) -> str:
    with connection.cursor() as cursor:
        cursor.execute(ANNAS_PAYMENT, [user_id])
        return str(cursor.fetchone()[0])


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    """`anon` is whoever holds the public key; row security hides from both what is not theirs."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        try:
            yield
        finally:
            cursor.execute("RESET ROLE")


def queue_as_visitor(to: str, **variables: str) -> int:
    """A message as anybody can send it over PostgREST."""
    with acting_as("anon"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT public.queue_email_task(%s, %s, 'checkup_completed', %s::jsonb, 10)",
            [to, "Списание 25 000 ₽. Отменить: http://littleotter-pay.evil.example/x", json.dumps(variables)],
        )
        return int(cursor.fetchone()[0])


def test_a_visitor_can_neither_write_to_others_nor_put_a_link_into_a_mail(mailbox: Mailbox) -> None:
    lure = "Внимание! Войдите на http://littleotter-pay.evil.example/login"
    variables = {"assessment_id": str(uuid4()), "profile_name": lure, "completed_at": "2026-11-23T11:30:00Z"}
    assert attempt(queue_as_visitor("victim@example.net", **variables)).reason == FailureReason.REFUSED
    assert attempt(queue_as_visitor(ANNAS, **variables)).status == Status.SENT
    (mail,) = mailbox.messages
    assert "http: //littleotter-pay. evil. example/login" in mail.text
    assert "evil.example" not in mail.text + mail.html + mail.subject
    assert "littleotter-pay. evil. example" in mail.subject


def test_a_stranger_gets_nothing_and_the_archive_says_why(mailbox: Mailbox) -> None:
    msg_id = enqueue("payment_failed", to="victim@example.net")
    row = attempt(msg_id)
    assert outcome_of(msg_id) == ("failed", "refused")
    assert (row.status, row.reason, row.error_type) == (Status.FAILED, FailureReason.REFUSED, "Refused")
    assert row.error == "the address belongs to no customer; EMAIL_EXTRA_RECIPIENTS can name it"
    assert (row.recipient, row.html_body, row.text_body) == ("victim@example.net", "", "")
    assert mailbox.attempts == []


@pytest.mark.parametrize(
    ("stored", "to"),
    [
        (ANNAS, ANNAS),
        (ANNAS, " Anna.Sokolova@Example.ORG "),
        ("  Anna.Sokolova@EXAMPLE.org\n", ANNAS),
        ("anna@почта.рф", "anna@xn--80a1acny.xn--p1ai"),
        ("anna@xn--80a1acny.xn--p1ai", "anna@почта.рф"),
        ("anna@Почта.рф", "ANNA@почта.РФ"),
        ("anna+lev@example.org", "anna+lev@example.org"),
    ],
)
def test_a_customer_is_known_by_whatever_spelling_of_the_address(stored: str, to: str, mailbox: Mailbox) -> None:
    change_email(ANNA, stored)
    assert attempt(enqueue("payment_failed", to=to)).status == Status.SENT
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize("stored", [None, "", "anna.sokolova@example.com", "xanna.sokolova@example.org"])
def test_an_address_that_only_looks_like_a_customers_is_a_strangers(stored: str | None) -> None:
    change_email(ANNA, stored)
    assert find_unwelcome([ANNAS, "anna.sokolova+x@example.org", "%@example.org"]).keys() == {
        *(ANNAS, "anna.sokolova+x@example.org", "%@example.org")
    }


def test_many_addresses_cost_two_queries() -> None:
    asked = [ANNAS, *(f"victim{number}@example.net" for number in range(200))]
    with CaptureQueriesContext(connection) as queries:
        unwelcome = find_unwelcome(asked)
    assert len(queries) == 2
    assert unwelcome.keys() == {*asked[1:]}
    assert find_unwelcome([]) == {}


@pytest.mark.parametrize(
    ("named", "welcome"),
    [
        (("me@example.net",), {"me@example.net", "ME@Example.net"}),
        (("example.net",), {"me@example.net", "ME@Example.net", "you@example.net"}),
        (("@example.net",), {"me@example.net", "ME@Example.net", "you@example.net"}),
        (("почта.рф",), {"me@xn--80a1acny.xn--p1ai"}),
    ],
)
def test_the_settings_name_further_addresses_and_domains(
    named: tuple[str, ...], welcome: set[str], settings: Settings
) -> None:
    settings.EMAIL_EXTRA_RECIPIENTS = named
    everybody = {
        *("me@example.net", "ME@Example.net", "you@example.net", "me@xn--80a1acny.xn--p1ai"),
        *("me@sub.example.net", "me@example.net.evil.example", "me@notexample.net"),
    }
    assert everybody - find_unwelcome(everybody).keys() == welcome


def test_a_hidden_table_of_customers_makes_nobody_a_stranger() -> None:
    with acting_as("authenticated"), pytest.raises(CustomersHidden, match=r"row security hides rows of public\.users"):
        find_unwelcome([ANNAS])


def test_a_mail_waits_while_nobody_can_tell_who_is_a_customer(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    msg_id = enqueue("payment_failed", to=ANNAS)

    def hide(_recipients: object) -> dict[str, str]:
        with acting_as("authenticated"):
            return find_unwelcome([ANNAS])

    with monkeypatch.context() as patched:
        patched.setattr("notifications.mail_log.find_unwelcome", hide)
        row = attempt(msg_id)
    assert (row.status, row.error_type) == (Status.RETRYING, "CustomersHidden")
    assert attempt(msg_id).status == Status.SENT


def test_a_mailbox_gets_so_many_mails_an_hour_and_no_more(mailbox: Mailbox) -> None:
    rows = [attempt(enqueue("payment_failed", to=ANNAS)) for _ in range(5)]
    assert [row.status for row in rows] == [Status.SENT] * 3 + [Status.FAILED] * 2
    assert rows[-1].reason == FailureReason.REFUSED
    assert rows[-1].error == "this mailbox got 3 mails within an hour, and EMAIL_HOURLY_LIMIT is 3"
    assert len(mailbox.messages) == 3


def test_other_spellings_and_plus_addresses_are_the_same_mailbox(mailbox: Mailbox, settings: Settings) -> None:
    settings.EMAIL_EXTRA_RECIPIENTS = ("xn--80a1acny.xn--p1ai",)
    spelled = ["me@почта.рф", "ME@xn--80a1acny.xn--p1ai", "me+1@почта.рф", "me+2@почта.рф"]
    statuses = [attempt(enqueue("payment_failed", to=to)).status for to in spelled]
    assert statuses == [Status.SENT] * 3 + [Status.FAILED]
    assert attempt(enqueue("payment_failed", to="you@почта.рф")).status == Status.SENT


def test_an_hour_later_the_mailbox_gets_mail_again(mailbox: Mailbox) -> None:
    for _ in range(3):
        attempt(enqueue("payment_failed", to=ANNAS))
    EmailMessage.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    assert attempt(enqueue("payment_failed", to=ANNAS)).status == Status.SENT


def test_what_was_refused_or_failed_is_not_counted(mailbox: Mailbox) -> None:
    for _ in range(5):
        attempt(email_queue().send({"to": ANNAS, "subject": "x", "template": "nothing", "variables": {}}))
    assert attempt(enqueue("payment_failed", to=ANNAS)).status == Status.SENT


def test_a_repeat_does_not_count_itself(mailbox: Mailbox, settings: Settings) -> None:
    settings.EMAIL_HOURLY_LIMIT = 1
    change_email(ANNA, "anna+refuse2@example.org")
    msg_id = enqueue("payment_failed", to="anna+refuse2@example.org")
    assert [attempt(msg_id).status for _ in range(3)] == [Status.RETRYING, Status.RETRYING, Status.SENT]


def test_junk_cannot_use_up_what_is_kept_for_a_customers_own_affairs(mailbox: Mailbox) -> None:
    for _ in range(6):
        attempt(enqueue("payment_failed", to=ANNAS, payment_id=str(uuid4())))
    payment = pay(ANNA)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id::text FROM public.appointments WHERE user_id = %s LIMIT 1", [ANNA])
        (appointment,) = cursor.fetchone()
    own = [
        enqueue("payment_confirmation", to=ANNAS, payment_id=payment),
        enqueue("appointment_reminder_24h", to=ANNAS, appointment_id=appointment),
        enqueue("checkup_completed", to=ANNAS, assessment_id=str(MARIA_CHECKUP)),
    ]
    assert [attempt(msg_id).status for msg_id in own] == [Status.SENT] * 3
    # That much again and no more, whatever they are about.
    assert attempt(enqueue("payment_failed", to=ANNAS, payment_id=payment)).reason == FailureReason.REFUSED


def test_one_kind_of_mail_about_one_thing_is_kept_a_place_once(mailbox: Mailbox) -> None:
    payment = pay(ANNA)
    rows = [attempt(enqueue("payment_confirmation", to=ANNAS, payment_id=payment)) for _ in range(5)]
    assert [row.status for row in rows] == [Status.SENT] * 3 + [Status.FAILED] * 2
    assert attempt(enqueue("payment_failed", to=ANNAS, payment_id=payment)).status == Status.SENT


def test_somebody_elses_affairs_open_no_place(mailbox: Mailbox) -> None:
    change_email(ANNA, "anna@example.net")
    payment = pay(ANNA)
    rows = [attempt(enqueue("payment_failed", to="igor.kovalev@example.org", payment_id=payment)) for _ in range(4)]
    assert rows[-1].reason == FailureReason.REFUSED


def test_two_workers_do_not_share_the_last_place(settings: Settings) -> None:
    settings.EMAIL_HOURLY_LIMIT = 1
    messages = [claim(enqueue("payment_failed", to=ANNAS)) for _ in range(2)]
    barrier, results = threading.Barrier(2, timeout=20), []

    def work(number: int) -> None:
        request = EmailRequest.parse(messages[number].body)
        rendered = render_email(request, at=timezone.now())
        barrier.wait()
        try:
            results.append(str(start_sending(messages[number], request, rendered).status))
        except Refused:
            results.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(results) == ["refused", "sending"]


def test_encoded_words_reach_nobody(mailbox: Mailbox) -> None:
    change_email(ANNA, "=?utf-8?q?a?=@example.org")
    row = attempt(enqueue("payment_failed", to="=?utf-8?q?a?=@example.org"))
    assert (row.reason, mailbox.attempts) == (FailureReason.REFUSED, [])
    change_email(ANNA, ANNAS)
    body = {"template": "payment_failed", "variables": {"payment_id": "1", "amount": 1}, "to": ANNAS}
    row = attempt(email_queue().send(body | {"subject": "=?utf-8?q?=0D=0ABcc:_x=40y.example?= =?utf-8?b?4oCuZ3Bq?="}))
    (mail,) = mailbox.messages
    assert mail.subject.strip() == row.subject
    assert "\u202e" not in mail.subject
    assert "utf-8" in mail.subject
