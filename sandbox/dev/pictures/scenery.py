"""The made-up world of the pictures: the sandbox's families, five weeks of payments, a mail, and busy queues.

Every id and time is fixed, as the fingerprints are taken of what the pages say about them.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast
from unittest import mock

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test.utils import override_settings
from django.utils import timezone
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory

from bridge.sql.rolled import Rolled
from bridge.sql.rows import Ended
from notifications.models import EmailMessage, Status
from notifications.writing.rendering import render_email
from notifications.writing.request import EmailRequest
from payments.states import ProviderStatus
from sandbox.dev.pictures.album import EMAIL
from sandbox.dev.pictures.queues import fill_queues
from sandbox.dev.pictures.rows import (
    ALEKSANDRA,
    ANNA,
    FAMILY_SESSION,
    FIRST_TALK,
    FOUR_TALKS,
    IGOR,
    LEYLA,
    NOW,
    TALK,
    buy,
    refund,
)
from sandbox.dev.pictures.spotlight import fill_spotlight
from sandbox.services.supabase import sample_families

STAFF = "elena.support"
# What a machine's own environment must not change on a page.
FIXED_SETTINGS = {
    "FRONTEND_URL": "https://littleotter.example",
    "EMAIL_EXTRA_RECIPIENTS": (),
    "SUPPORT_CONTACT": "help@littleotter.example",
}

_PAYERS = (ANNA, LEYLA, IGOR, ALEKSANDRA)
_USUALLY_BOUGHT = (TALK, FAMILY_SESSION, FIRST_TALK, TALK, FOUR_TALKS, FAMILY_SESSION, TALK)
_HISTORY_DAYS = 36
_EMAIL_BODY = {
    "to": "anna.sokolova@example.org",
    "subject": "Напоминание о консультации",
    "template": "appointment_reminder_24h",
    "variables": {
        "appointment_id": "10000000-0000-4000-8000-000000000003",
        "scheduled_at": (NOW + timedelta(days=1)).isoformat(),
    },
}


@contextmanager
def frozen() -> Iterator[FrozenDateTimeFactory]:
    """Let Python's time stand still at `NOW`, and the settings be those of the pictures."""
    with override_settings(**FIXED_SETTINGS), _one_day_for_ever(), freeze_time(NOW) as clock:
        yield cast(FrozenDateTimeFactory, clock)


@contextmanager
def _one_day_for_ever() -> Iterator[None]:
    """Let the last day of a queue be that of the pictures, however long ago that is by the database's own clock."""
    of_the_last, for_ever = Rolled.day, 24 * 365 * 100

    def day(self: Rolled, *, hours: int, **options: Any) -> list[Ended]:
        return of_the_last(self, hours=for_ever, **options)

    with mock.patch.object(Rolled, "day", day):
        yield


def fill(clock: FrozenDateTimeFactory) -> User:
    """Fill a database that has our tables and nothing in them; returns the member of the staff who looks at it."""
    with connection.cursor() as cursor:
        cursor.execute(sample_families(NOW))
    call_command("install_wakeup", stdout=io.StringIO())
    # Nobody has a password that fits; the admin offers to change it all the same.
    staff = User.objects.create(username=STAFF, password="-", is_staff=True, is_superuser=True)  # noqa: S106
    _fill_history(clock)
    _fill_today(clock, staff)
    clock.move_to(NOW - timedelta(minutes=3))
    _fill_email()
    clock.move_to(NOW)
    fill_queues(staff)
    return staff


def _fill_history(clock: FrozenDateTimeFactory) -> None:
    """Some paid ones a day but on Sundays, now and then one that was given back."""
    number = 100
    for ago in range(_HISTORY_DAYS, 0, -1):
        for order in range(_sold(NOW - timedelta(days=ago))):
            number += 1
            at = NOW - timedelta(days=ago, hours=2 * order, minutes=number % 50)
            goods = _USUALLY_BOUGHT[(number + ago) % len(_USUALLY_BOUGHT)]
            is_refunded = number % 11 == 0
            back: dict[str, Any] = {"refunded_amount": goods.price} if is_refunded else {}
            checkout = buy(clock, number, at, _PAYERS[number % len(_PAYERS)], goods, **back)
            if is_refunded:
                refund(clock, checkout, number, at + timedelta(hours=3), amount=goods.price, reason="Отмена встречи")


def _sold(day: datetime) -> int:
    return 0 if day.weekday() == 6 else 1 + (day.day * day.day + day.month) % 3


def _fill_today(clock: FrozenDateTimeFactory, staff: User) -> None:
    def ago(minutes: int) -> datetime:
        return NOW - timedelta(minutes=minutes)

    buy(clock, 48, ago(12), ANNA, TALK, ProviderStatus.PENDING, expires_at=NOW + timedelta(minutes=48))
    buy(clock, 47, ago(31), LEYLA, FIRST_TALK)
    fill_spotlight(clock, at=ago(84), staff=staff)
    sbp: dict[str, Any] = {"method_type": "sbp", "method_title": ""}
    buy(clock, 46, ago(118), ANNA, FOUR_TALKS, **sbp)
    refused: dict[str, Any] = {"cancellation_party": "payment_network", "cancellation_reason": "insufficient_funds"}
    buy(clock, 45, ago(164), LEYLA, TALK, ProviderStatus.CANCELED, **refused)
    back = buy(clock, 44, ago(215), ALEKSANDRA, FAMILY_SESSION, refunded_amount=FAMILY_SESSION.price)
    refund(clock, back, 44, ago(150), amount=FAMILY_SESSION.price, reason="Ребёнок заболел")
    buy(clock, 43, ago(290), ALEKSANDRA, FAMILY_SESSION, **sbp)


def _fill_email() -> None:
    request = EmailRequest.parse(_EMAIL_BODY)
    at = timezone.now()
    rendered = render_email(request, at=at)
    EmailMessage.objects.create(
        id=EMAIL,
        queue="email_queue",
        msg_id=2718,
        enqueued_at=at,
        trace_id="b4a2e12d54624580",
        recipient=request.recipient,
        subject=request.subject,
        template=request.template,
        html_body=rendered.html,
        text_body=rendered.text,
        status=Status.SENT,
        attempts=1,
        provider="smtp",
        provider_message_id="2.0.0 OK queued",
        message_id="<email_queue.2718.1296eecb905433c4@littleotter.example>",
        sent_at=at + timedelta(seconds=1),
    )
