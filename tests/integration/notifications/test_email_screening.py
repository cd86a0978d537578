"""Floods of mails: what no worker would send ends by the hundreds, and nothing that one would send is touched."""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from celery import current_app
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from bridge.daemon.drain import Drain
from bridge.daemon.publisher import Publisher
from bridge.errors import NotYet, Refused
from bridge.queues import Candidate, registry
from bridge.reasons import FailureReason
from bridge.seldom import Seldom
from notifications import mail_log, screening
from notifications.errors import CustomersHidden
from notifications.models import EmailMessage, StaffNotice, Status
from notifications.queue import QUEUE, queue_email
from notifications.recipients import find_own, find_unwelcome
from notifications.screening import LEAST
from notifications.sending.mailer import mailer
from notifications.staff_notices import NO_SUCH_NOTICE, NOT_STAFF
from notifications.writing.catalogue import Thing
from sandbox.mailbox import Mailbox
from tests.integration.notifications.test_email_recipients import ANNAS, acting_as, change_email, pay
from tests.support.email_deliveries import attempt, email_queue, enqueue, outcome_of
from tests.support.email_samples import message_body
from tests.support.report_deliveries import ANNA

pytestmark = pytest.mark.usefixtures("seeded_database")

LIMIT = 3
JUNK = 200


@pytest.fixture(autouse=True)
def _limits(settings: Settings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(screening, "_passing", screening.Passing())
    settings.EMAIL_EXTRA_RECIPIENTS = ()
    settings.EMAIL_HOURLY_LIMIT = LIMIT
    settings.MAX_TASKS_PER_CYCLE = 5000
    yield
    mailer.close()


@pytest.fixture
def drain(broker_url: str) -> Iterator[Drain]:
    with Publisher(current_app) as publisher:
        yield Drain(registry.get(QUEUE), publisher)


def flood(body: dict[str, object], *, count: int = JUNK) -> list[int]:
    """The same message many times, each about another thing where it says `#`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pgmq.send_batch(%s, (SELECT array_agg(replace(%s, '#', gen_random_uuid()::text)::jsonb)"
            " FROM generate_series(1, %s)))",
            [QUEUE, json.dumps(body), count],
        )
        return [msg_id for (msg_id,) in cursor.fetchall()]


def published(drain: Drain) -> set[int]:
    """What one look hands over: it is leased, and has no outcome."""
    drain.flow._waiting.clear()
    drain.flow._in_line = 0
    # A read before has come back full: until then the few that one takes are shown to nobody.
    drain._crowded = True
    drain.look()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT msg_id FROM pgmq.q_{QUEUE} WHERE vt > now() AND read_ct > 0")
        return {msg_id for (msg_id,) in cursor.fetchall()}


def endings(ids: list[int]) -> Counter[tuple[str, str | None]]:
    queued = email_queue().queued_among(ids)
    return Counter(outcome_of(msg_id) for msg_id in ids if msg_id not in queued)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"to": "victim@example.net"}, "refused"),
        ({"to": "victim@example.net", "priority": 1000}, "refused"),
        ({"to": "nobody"}, "permanent_error"),
        ({"to": 5}, "invalid_message"),
        ({"template": "lure"}, "permanent_error"),
        ({"subject": ""}, "invalid_message"),
        ({"variables": {}}, "permanent_error"),
        ({"variables": None}, "invalid_message"),
    ],
)
def test_junk_of_any_kind_ends_without_a_worker_and_a_real_mail_is_handed_over(
    changes: dict[str, object], reason: str, drain: Drain
) -> None:
    ids = flood(message_body("payment_failed", to=ANNAS, payment_id="#") | changes)
    real = enqueue("payment_failed", to=ANNAS)
    assert published(drain) == {real}
    assert endings(ids) == {("failed", reason): JUNK}


def test_junk_to_a_customer_takes_her_places_of_the_hour_and_no_more(drain: Drain) -> None:
    ids = flood(message_body("payment_failed", to=ANNAS, payment_id="#"))
    others = enqueue("payment_failed", to="igor.kovalev@example.org")
    handed = published(drain)
    assert others in handed
    assert len(handed) == LIMIT + 1
    assert email_queue().counts().delayed == JUNK - LIMIT
    for msg_id in handed - {others}:
        assert attempt(msg_id).status == Status.SENT
    # Her own affairs have a place of their own, however many strangers wrote.
    own = enqueue("payment_failed", to=ANNAS, payment_id=pay(ANNA))
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now()")
    assert published(drain) == {own, others}
    assert endings(ids) == {("succeeded", None): LIMIT, ("failed", "refused"): JUNK - LIMIT}
    assert attempt(own).status == Status.SENT


@pytest.mark.parametrize("sent", [0, 1, LIMIT - 1, LIMIT, 2 * LIMIT - 1, 2 * LIMIT])
def test_what_a_worker_would_send_is_never_ended(sent: int, drain: Drain) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id::text FROM public.appointments WHERE user_id = %s LIMIT 1", [ANNA])
        (appointment,) = cursor.fetchone()
    for number in range(sent):
        about = pay(ANNA) if number >= LIMIT else str(uuid4())
        assert attempt(enqueue("payment_failed", to=ANNAS, payment_id=about)).status == Status.SENT
    payment = pay(ANNA)
    bodies = [
        message_body("payment_failed", to=ANNAS, payment_id=payment),
        message_body("payment_failed", to=" ANNA.sokolova+x@example.ORG", payment_id=payment),
        message_body("payment_failed", to=ANNAS, payment_id=payment.upper()),
        message_body("payment_failed", to=ANNAS, payment_id=str(uuid4())),
        message_body("appointment_reminder_1h", to=ANNAS, appointment_id=appointment),
        message_body("appointment_reminder_1h", to=ANNAS, appointment_id=appointment),
        message_body("payment_refunded", to="igor.kovalev@example.org", payment_id=payment),
    ]
    change_email(ANNA, ANNAS.upper())
    flood(message_body("payment_failed", to="victim@example.net"))
    ids = [email_queue().send(body) for body in bodies]
    published(drain)
    ended = set(ids) - email_queue().queued_among(ids)
    for msg_id in sorted(ended):
        copy = email_queue().send(bodies[ids.index(msg_id)])
        assert attempt(copy).status in (Status.FAILED, Status.DUPLICATE), bodies[ids.index(msg_id)]


def test_repeats_of_a_mail_that_was_sent_end_as_duplicates_of_it(drain: Drain) -> None:
    body = message_body("appointment_reminder_1h", to=ANNAS)
    ids = flood(body)
    # Sent at the same moment, any of them may be the first.
    (first,) = published(drain)
    others = [msg_id for msg_id in ids if msg_id != first]
    assert attempt(first).status == Status.SENT
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now()")
    assert published(drain) == set()
    assert endings(others) == {("duplicate", None): JUNK - 1}


def test_so_many_rows_tell_of_a_flood_and_no_more(drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_log, "MOST_NOTED", 30)
    flood(message_body("payment_failed", to="victim@example.net"))
    published(drain)
    flood(message_body("payment_failed", to="victim@example.net"))
    published(drain)
    assert EmailMessage.objects.count() == 30
    row = EmailMessage.objects.earliest("pk")
    assert (row.status, row.reason, row.error_type) == (Status.FAILED, FailureReason.REFUSED, "Refused")
    assert (row.recipient, row.template, row.attempts) == ("victim@example.net", "payment_failed", 0)
    assert row.error == "the address belongs to no customer; EMAIL_EXTRA_RECIPIENTS can name it"


def test_who_cannot_see_the_customers_refuses_nobody_and_says_so_once(
    drain: Drain, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def hidden(recipients: set[str]) -> dict[str, str]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE authenticated")
            return find_unwelcome(recipients)

    monkeypatch.setattr(screening, "find_unwelcome", hidden)
    monkeypatch.setattr(screening, "_seldom", Seldom())
    for _ in range(2):
        ids = flood(message_body("payment_failed", to="victim@example.net"), count=LEAST)
        assert published(drain)
        assert email_queue().queued_among(ids) == {*ids}
    (said,) = [line for line in caplog.records if line.levelno >= logging.ERROR]
    assert said.exc_info is None
    assert "row security hides rows of public.users" in said.getMessage()


def test_a_flood_that_workers_refuse_is_one_warning_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(5):
        assert attempt(enqueue("payment_failed", to="victim@example.net")).reason == FailureReason.REFUSED
    levels = Counter(line.levelname for line in caplog.records if line.name == "bridge.outcome")
    assert levels["ERROR"] == 0
    assert levels["WARNING"] <= 1
    assert levels["INFO"] == 5


def test_few_messages_are_left_to_the_workers(drain: Drain) -> None:
    ids = flood(message_body("payment_failed", to="victim@example.net"), count=LEAST - 1)
    assert published(drain)
    assert email_queue().queued_among(ids) == {*ids}


def test_hidden_owners_are_no_reason_to_refuse() -> None:
    with acting_as("authenticated"), pytest.raises(CustomersHidden):
        find_own({(Thing.PAYMENT, str(uuid4()), ANNAS)})


def test_priority_is_honoured_among_mails_that_pass(drain: Drain, settings: Settings, broker_url: str) -> None:
    settings.EMAIL_EXTRA_RECIPIENTS = ("example.net",)
    settings.MAX_TASKS_PER_CYCLE = 5
    flood(message_body("payment_failed", to="#@example.net"), count=2 * LEAST)
    urgent = [email_queue().send(message_body("payment_failed", to=ANNAS) | {"priority": number}) for number in (5, 9)]
    assert published(drain) >= {*urgent}


def test_notes_to_staff_that_nobody_made_are_refused_before_a_worker_has_them(settings: Settings) -> None:
    settings.STAFF_DIGEST_TO = ("duty@example.org",)
    now = timezone.now()
    made = StaffNotice.objects.create(kind="digest", key="2026-11-27", created_at=now)
    old = StaffNotice.objects.create(kind="digest", key="2026-11-01", created_at=now - timedelta(days=8))
    asked = [
        (made.pk, "duty@example.org"),
        # A customer of ours.
        (made.pk, "anna@example.org"),
        (made.pk, "DUTY@example.org"),
        (old.pk, "duty@example.org"),
        (uuid4(), "duty@example.org"),
    ]
    bodies = [
        {"to": to, "subject": "Слон", "template": "staff_notice", "variables": {"notice_id": str(key)}}
        for key, to in asked
    ]
    with CaptureQueriesContext(connection) as queries:
        verdicts = screening.judge([Candidate(number, now, json.dumps(body)) for number, body in enumerate(bodies)])
    said: dict[int, object] = {key: (type(one), str(one)) for key, one in verdicts.items()}
    expected: dict[int, object] = {
        1: (Refused, NOT_STAFF),
        # The very mail that the first one asks for.
        2: (NotYet, screening.FIRST),
        3: (Refused, NO_SUCH_NOTICE),
        4: (Refused, NO_SUCH_NOTICE),
    }
    assert said == expected
    assert len(queries) < 8


def test_notes_to_staff_have_their_place_beside_what_strangers_may_use_up(settings: Settings, mailbox: Mailbox) -> None:
    settings.STAFF_DIGEST_TO = settings.EMAIL_EXTRA_RECIPIENTS = ("duty@example.org",)
    for _ in range(LIMIT + 1):
        attempt(enqueue("payment_failed", to="duty@example.org"))
    assert len(mailbox.messages) == LIMIT
    notice = StaffNotice.objects.create(kind="digest", key="2026-11-27", created_at=timezone.now())
    variables = {"notice_id": str(notice.pk)}
    msg_id = queue_email(to="duty@example.org", subject="x", template="staff_notice", variables=variables)
    assert attempt(msg_id).status == Status.SENT
