"""What providers tell of mails that they took: proven, in any order, as often as they like, and written down."""

import base64
import itertools
import json
import logging
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from notifications.models import Arrival, EmailMessage, Status, Tracking, Why
from notifications.queue import QUEUE
from notifications.tasks import check_stuck_emails
from notifications.tracking import store, view
from notifications.tracking.store import match_words
from tests.support import provider_calls
from tests.support.provider_calls import AT, RECIPIENT, SENDERS, call, set_up, signed_call, tell, url_of

pytestmark = pytest.mark.usefixtures("database")

ID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
EVERY = pytest.mark.parametrize("name", SENDERS)


@pytest.fixture(autouse=True)
def _told_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process says once an hour, it says in each test."""
    monkeypatch.setattr(view, "_refused", type(view._refused)(10))
    monkeypatch.setattr(view, "_seldom", type(view._seldom)())
    monkeypatch.setattr(store, "_seldom", type(store._seldom)())


def mail(provider: str, id_: str = ID, **fields: Any) -> EmailMessage:
    now = timezone.now()
    usual = {
        "msg_id": EmailMessage.objects.count() + 1,
        "recipient": RECIPIENT,
        "mailbox": RECIPIENT,
        "message_id": "<1@example.org>",
        "status": Status.SENT,
        "sent_at": now,
        "enqueued_at": now,
    }
    return EmailMessage.objects.create(queue=QUEUE, provider=provider, provider_message_id=id_, **(usual | fields))


def arrival_of(row: EmailMessage) -> tuple[str, str]:
    known = Tracking.objects.get(email=row)
    return known.arrival, known.why


@EVERY
@pytest.mark.parametrize("thing", ["deferred", "delivered", "bounced", "complained"])
def test_each_word_of_each_provider_comes_to_the_row_of_its_mail(name: str, thing: str, settings: Settings) -> None:
    set_up(name, settings)
    row = mail(name)
    answer = tell(name, thing, ID)
    assert (answer.status_code, json.loads(answer.content)) == (200, {"received": 1, "unknown": 0})
    known = Tracking.objects.get(email=row)
    assert known.arrival == thing
    assert abs((known.at - AT).total_seconds()) < 1
    # Supabase and the queue see what they always saw.
    row.refresh_from_db()
    assert row.status == Status.SENT


@EVERY
@pytest.mark.parametrize("thing", ["sent", "opened"])
def test_who_read_a_mail_is_not_written_down(name: str, thing: str, settings: Settings) -> None:
    set_up(name, settings)
    mail(name)
    assert tell(name, thing, ID).status_code == 200
    assert not Tracking.objects.exists()


@EVERY
def test_in_whichever_order_and_however_often_the_words_come_the_same_stays(name: str, settings: Settings) -> None:
    set_up(name, settings)
    row = mail(name)
    told = [("deferred", 0), ("delivered", 1), ("bounced", 2), ("deferred", 3)]
    calls = {(thing, minute): signed_call(name, thing, ID, AT + timedelta(minutes=minute)) for thing, minute in told}
    for order in itertools.permutations(told):
        for one in (*order, order[0]):
            # What stands before the view knows nothing of orders.
            assert view.receive_words(calls[one](), name).status_code == 200
        known = Tracking.objects.get(email=row)
        assert (known.arrival, known.at) == (Arrival.BOUNCED, AT + timedelta(minutes=2)), order
        known.delete()


def test_a_delivery_that_is_told_after_a_refusal_does_not_undo_it_and_a_complaint_counts_most(
    settings: Settings,
) -> None:
    set_up("sendgrid", settings)
    row = mail("sendgrid")
    seen = []
    for minute, thing in enumerate(("bounced", "delivered", "complained", "bounced")):
        tell("sendgrid", thing, ID, AT + timedelta(minutes=minute))
        seen.append(arrival_of(row)[0])
    assert seen == ["bounced", "bounced", "complained", "complained"]


# Provider, event, what it says besides → what we make of it.
REASONS: list[tuple[str, str, dict[str, Any], Arrival, Why]] = [
    (
        "sendgrid",
        "bounce",
        {"reason": "550 5.1.1 The email account that you tried to reach does not exist.", "status": "5.1.1"},
        Arrival.BOUNCED,
        Why.NO_SUCH_MAILBOX,
    ),
    (
        "sendgrid",
        "bounce",
        {"reason": "552 5.2.2 The email account that you tried to reach is over quota", "type": "blocked"},
        Arrival.BOUNCED,
        Why.MAILBOX_FULL,
    ),
    ("sendgrid", "dropped", {"reason": "Bounced Address"}, Arrival.REJECTED, Why.NO_LONGER_WRITTEN_TO),
    ("sendgrid", "dropped", {"reason": "Unsubscribed Address"}, Arrival.REJECTED, Why.UNSUBSCRIBED),
    ("sendgrid", "dropped", {"reason": "Spam Reporting Address"}, Arrival.REJECTED, Why.NO_LONGER_WRITTEN_TO),
    ("sendgrid", "dropped", {"reason": "Invalid"}, Arrival.REJECTED, Why.NO_SUCH_MAILBOX),
    ("sendgrid", "dropped", {}, Arrival.REJECTED, Why.UNKNOWN),
    ("sendgrid", "bounce", {"reason": "554 5.7.1 Message rejected"}, Arrival.BOUNCED, Why.TAKEN_FOR_SPAM),
    ("sendgrid", "bounce", {"reason": "554 delivery error: dd", "type": "bounce"}, Arrival.BOUNCED, Why.REFUSED),
    (
        "resend",
        "bounced",
        {
            "bounce": {
                "message": "The recipient's email address is on the suppression list because it has a recent history "
                "of producing hard bounces.",
                "subType": "Suppressed",
                "type": "Permanent",
            }
        },
        Arrival.BOUNCED,
        Why.NO_LONGER_WRITTEN_TO,
    ),
    (
        "resend",
        "bounced",
        {"bounce": {"message": "The recipient's inbox was full.", "subType": "MailboxFull", "type": "Transient"}},
        Arrival.BOUNCED,
        Why.MAILBOX_FULL,
    ),
    (
        "resend",
        "bounced",
        {"bounce": {"message": "The recipient's email provider sent a general bounce message.", "subType": "General"}},
        Arrival.BOUNCED,
        Why.REFUSED,
    ),
    ("resend", "bounced", {}, Arrival.BOUNCED, Why.UNKNOWN),
    ("resend", "failed", {"failed": {"reason": "reached_daily_quota"}}, Arrival.REJECTED, Why.UNKNOWN),
    (
        "resend",
        "suppressed",
        {
            "suppressed": {
                "message": "Resend has suppressed sending to this address.",
                "type": "OnAccountSuppressionList",
            }
        },
        Arrival.REJECTED,
        Why.NO_LONGER_WRITTEN_TO,
    ),
    *(
        ("unisender_go", "hard_bounced", {"delivery_status": status, **said}, Arrival.BOUNCED, why)
        for status, said, why in (
            ("err_user_unknown", {"destination_response": "550 5.1.1 user unknown"}, Why.NO_SUCH_MAILBOX),
            ("err_mailbox_full", {}, Why.MAILBOX_FULL),
            ("err_spam_rejected", {"destination_response": "550 Spam rejected"}, Why.TAKEN_FOR_SPAM),
            ("err_blacklisted", {}, Why.TAKEN_FOR_SPAM),
            ("err_unsubscribed", {}, Why.UNSUBSCRIBED),
            ("err_unreachable", {}, Why.NOT_REACHED),
            ("err_domain_inactive", {}, Why.NOT_REACHED),
            ("err_delivery_failed", {"destination_response": "550 message refused"}, Why.REFUSED),
        )
    ),
]


@pytest.mark.parametrize(("name", "event", "found", "arrival", "why"), REASONS)
def test_why_a_mail_did_not_arrive_is_understood(
    name: str, event: str, found: dict[str, Any], arrival: Arrival, why: Why, settings: Settings
) -> None:
    set_up(name, settings)
    row = mail(name)
    assert call(name, SENDERS[name].body(event, ID, **found)).status_code == 200
    assert arrival_of(row) == (arrival, why)


def test_a_call_of_sendgrid_tells_of_many_mails_and_one_odd_event_spoils_no_other(settings: Settings) -> None:
    set_up("sendgrid", settings)
    rows = [mail("sendgrid", f"id-{number}") for number in range(3)]
    good = [provider_calls.sendgrid_event("delivered", f"id-{number}") for number in range(3)]
    odd = [b"7", b"{}", b'{"event": {}, "timestamp": 1}', b'{"event": "bounce", "anymail_id": "x", "timestamp": 1e30}']
    answer = call("sendgrid", b"[" + b",".join([odd[0], good[0], *odd[1:], *good[1:], good[0]]) + b"]")
    assert (answer.status_code, json.loads(answer.content)["received"]) == (200, 4)
    assert [arrival_of(row)[0] for row in rows] == ["delivered"] * 3


def test_unisender_go_may_tell_each_event_alone(settings: Settings) -> None:
    set_up("unisender_go", settings)
    row = mail("unisender_go")
    whole = json.loads(provider_calls.unisender_go("hard_bounced", ID, delivery_status="err_mailbox_full"))
    (event, _) = whole["events_by_user"][0]["events"]
    alone = {"auth": whole["auth"], "user_id": 456, "event_name": event["event_name"], **event["event_data"]}
    assert call("unisender_go", json.dumps(alone).encode()).status_code == 200
    assert arrival_of(row) == (Arrival.BOUNCED, Why.MAILBOX_FULL)


@EVERY
def test_a_word_that_comes_before_the_row_says_what_the_provider_calls_it_is_joined_to_it_later(
    name: str, settings: Settings
) -> None:
    set_up(name, settings)
    answer = tell(name, "bounced", ID)
    assert (answer.status_code, json.loads(answer.content)["unknown"]) == (200, 1)
    row = mail(name)
    stranger = mail("smtp", ID)
    check_stuck_emails()
    assert arrival_of(row)[0] == Arrival.BOUNCED
    assert not Tracking.objects.filter(email=stranger).exists()


def test_words_about_nothing_of_ours_are_bounded_and_forgotten_after_a_day(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up("sendgrid", settings)
    monkeypatch.setattr(store, "MOST_UNKNOWN_AN_HOUR", 2)
    known = mail("sendgrid")
    for number in range(4):
        assert tell("sendgrid", "delivered", f"of-others-{number}").status_code == 200
    tell("sendgrid", "delivered", ID)
    assert Tracking.objects.count() == 3
    Tracking.objects.update(received_at=timezone.now() - timedelta(hours=25))
    match_words()
    assert [row.email_id for row in Tracking.objects.all()] == [known.pk]


@EVERY
def test_nobody_else_is_believed(name: str, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    set_up(name, settings)
    mail(name)
    sender = SENDERS[name]
    body = sender.body(sender.names["bounced"], ID)
    signed, signature = sender.sign(body, time.time(), sender.key)
    forged = [
        call(name, body, key=sender.stranger),
        Client().post(url_of(name), body, content_type="application/json"),
        Client(headers=signature).post(url_of(name), signed + b" ", content_type="application/json"),
        Client().post(url_of(name), b"{}", content_type="application/json"),
        Client().post(url_of(name), b"\xff\x00", content_type="application/json"),
        Client().post(url_of(name), b"[" * 100_000, content_type="application/json"),
        Client().post(url_of(name), b'{"auth": ""}', content_type="application/json"),
        Client(headers={"svix-id": "x", "svix-timestamp": "NaN", "svix-signature": "v1,é"}).post(
            url_of(name), body, content_type="application/json"
        ),
    ]
    assert [answer.status_code for answer in forged] == [403] * len(forged)
    assert not Tracking.objects.exists()
    assert RECIPIENT not in caplog.text
    assert ID not in caplog.text
    assert "was refused" in caplog.text


def test_a_signature_of_an_hour_ago_is_a_replay(settings: Settings) -> None:
    set_up("resend", settings)
    body = SENDERS["resend"].body("delivered", ID)
    assert [call("resend", body, at=time.time() + drift).status_code for drift in (-3600, 3600, -60, 60)] == [
        *(403, 403),
        *(200, 200),
    ]


def test_a_secret_may_be_changed_while_both_are_in_use_at_resend(settings: Settings) -> None:
    """Svix signs with the old and the new one for a day, a space between."""
    set_up("resend", settings)
    body, new = SENDERS["resend"].sign(SENDERS["resend"].body("delivered", ID), time.time(), SENDERS["resend"].key)
    headers = {**new, "svix-signature": f"v1,{base64.b64encode(b'x' * 32).decode()} {new['svix-signature']}"}
    answer = Client(headers=headers).post(url_of("resend"), body, content_type="application/json")
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["resend", "sendgrid"])
def test_a_name_and_a_password_in_the_address_prove_it_too(name: str, settings: Settings) -> None:
    set_up(name, settings)
    settings.EMAIL_WEBHOOK_SECRET = "balansity:correct-horse-battery"
    sender = SENDERS[name]
    body = sender.body(sender.names["delivered"], ID)

    def status(credentials: str) -> int:
        coded = base64.b64encode(credentials.encode()).decode()
        return call(name, body, headers={"Authorization": f"Basic {coded}"}).status_code

    assert status("balansity:correct-horse-battery") == 200
    assert [status("balansity:wrong"), status("ü:"), status("")] == [403, 403, 403]
    assert call(name, body).status_code == 403


def test_only_the_provider_that_mails_leave_by_is_heard(settings: Settings) -> None:
    for name in SENDERS:
        set_up(name, settings)
        asked = {other: Client().get(url_of(other)).status_code for other in (*SENDERS, "smtp", "mailgun")}
        assert asked == {other: 200 if other == name else 404 for other in asked}
    set_up("resend", settings)
    settings.EMAIL_WEBHOOK_SECRET = ""
    assert tell("resend", "delivered", ID).status_code == 404
    assert Client().head(url_of("resend")).status_code == 404


def test_a_call_that_is_too_large_is_refused_unread(settings: Settings) -> None:
    set_up("sendgrid", settings)
    answer = call("sendgrid", b" " * (1024 * 1024 + 1))
    assert answer.status_code == 413


@EVERY
def test_while_it_cannot_be_written_down_the_provider_is_asked_to_come_again(
    name: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    set_up(name, settings)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE notifications_tracking RENAME TO of_a_version_to_come")
    answer = tell(name, "bounced", ID)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE of_a_version_to_come RENAME TO notifications_tracking")
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert RECIPIENT not in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_two_calls_at_once_about_the_same_mails_leave_what_one_would(settings: Settings) -> None:
    set_up("sendgrid", settings)
    for number in range(20):
        mail("sendgrid", f"id-{number}")

    def shout(thing: str, order: int) -> None:
        events = [provider_calls.sendgrid_event(thing, f"id-{number}") for number in range(20)][::order]
        answers.append(call("sendgrid", b"[" + b",".join(events) + b"]").status_code)
        connections.close_all()

    answers: list[int] = []
    threads = [
        threading.Thread(target=shout, args=(thing, order))
        for thing, order in (("delivered", 1), ("bounce", -1), ("deferred", 1), ("bounce", 1))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert answers == [200] * 4
    assert set(Tracking.objects.values_list("arrival", flat=True)) == {"bounced"}
    assert Tracking.objects.filter(email__isnull=False).count() == 20
