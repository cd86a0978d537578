"""What a mail adds to its message about a payment or a consultation: from our tables, and for its owner alone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage as Message
from typing import Any
from uuid import UUID, uuid4

import icalendar
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from pytest_django import Settings

from notifications.models import EmailMessage, Status
from notifications.sending.mailer import mailer
from notifications.writing.facts import NONE, Facts, Meeting, Purchase, facts_about
from notifications.writing.request import EmailRequest
from payments.facts import facts_of_appointment, facts_of_payment
from payments.models import Appointment, Checkout, Payment
from payments.states import OrderKind
from sandbox.mailbox import Mailbox
from tests.support.email_deliveries import attempt, email_queue
from tests.support.email_samples import message_body
from tests.support.odd_rows import APPOINTMENTS, PAYMENTS, change

pytestmark = pytest.mark.usefixtures("seeded_database")

ANNA, ANNAS = UUID("a0000000-0000-4000-8000-000000000001"), "anna.sokolova@example.org"
IGORS = "igor.kovalev@example.org"
# Of Anna's, as the seed has them: a consultation and a package that were paid before there was a checkout of ours.
OLD_TALK, OLD_PACKAGE = UUID("d0000000-0000-4000-8000-000000000001"), UUID("d0000000-0000-4000-8000-000000000002")
BOOKED, IGORS_BOOKING = (UUID(f"10000000-0000-4000-8000-00000000000{n}") for n in (3, 4))
TALK, FIRST_TALK = UUID("e0000000-0000-4000-8000-000000000002"), UUID("e0000000-0000-4000-8000-000000000001")
PACKAGE = UUID("f0000000-0000-4000-8000-000000000001")
AT = datetime(2026, 12, 1, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _only_customers(settings: Settings) -> Iterator[None]:
    settings.EMAIL_EXTRA_RECIPIENTS = ()
    yield
    mailer.close()


def started(metadata: dict[str, Any] | None = None, **order: Any) -> UUID:
    """A payment of Anna's that was begun here; the row says what `metadata` says."""
    row = Payment.objects.create(user_id=ANNA, amount=4500, metadata=metadata)
    Checkout.objects.create(payment=row, user_id=ANNA, amount=4500, **order)
    return row.pk


def execute(statement: str, values: list[Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def sent(mailbox: Mailbox, template: str, **variables: Any) -> tuple[EmailMessage, Message]:
    body = message_body(template, to=ANNAS, **variables)
    row = attempt(email_queue().send(body))
    return row, mailbox.messages[0].message


def test_a_consultation_is_named_by_the_catalogue_with_the_time_that_was_chosen() -> None:
    lie = {"type": "package", "package_id": str(PACKAGE)}
    payment = started(lie, kind=OrderKind.APPOINTMENT, appointment_type_id=TALK, scheduled_at=AT)
    assert facts_of_payment(payment, ANNAS) == Facts(Purchase("Индивидуальная консультация", starts_at=AT))


def test_a_consultation_that_was_booked_before_has_the_time_of_its_row() -> None:
    payment = started(kind=OrderKind.APPOINTMENT, appointment_type_id=TALK, appointment_id=BOOKED)
    (purchase,) = {facts_of_payment(payment, ANNAS).purchase}
    assert purchase is not None
    assert purchase.starts_at == Appointment.objects.get(pk=BOOKED).scheduled_at


def test_a_package_is_named_with_its_sessions() -> None:
    payment = started(kind=OrderKind.PACKAGE, package_id=PACKAGE)
    assert facts_of_payment(payment, ANNAS) == Facts(Purchase("Четыре консультации", sessions=4))


@pytest.mark.parametrize(("payment", "name"), [(OLD_PACKAGE, "Четыре консультации"), (OLD_TALK, None)])
def test_a_payment_of_the_system_before_us_says_what_its_row_orders(payment: UUID, name: str | None) -> None:
    # The seed's consultation has no time, which is no order that we know.
    purchase = facts_of_payment(payment, ANNAS).purchase
    assert (purchase and purchase.name) == name


@pytest.mark.parametrize("recipient", [IGORS, "stranger@example.net", ""])
def test_nobody_else_learns_what_was_bought_or_booked(recipient: str) -> None:
    payment = started(kind=OrderKind.PACKAGE, package_id=PACKAGE)
    assert facts_of_payment(payment, recipient) == facts_of_payment(OLD_PACKAGE, recipient) == NONE
    assert facts_of_appointment(BOOKED, recipient) == NONE


def test_a_row_that_names_somebody_elses_booking_learns_no_time_of_it() -> None:
    order = {"type": "appointment", "appointment_type_id": str(TALK), "appointment_id": str(IGORS_BOOKING)}
    row = Payment.objects.create(user_id=ANNA, amount=4500, metadata=order)
    assert facts_of_payment(row.pk, ANNAS) == Facts(Purchase("Индивидуальная консультация"))
    own = Payment.objects.create(user_id=ANNA, amount=4500, metadata={**order, "appointment_id": str(BOOKED)})
    purchase = facts_of_payment(own.pk, ANNAS).purchase
    assert purchase is not None
    assert purchase.starts_at is not None


def test_what_does_not_exist_has_no_facts() -> None:
    assert facts_of_payment(uuid4(), ANNAS) == facts_of_appointment(uuid4(), ANNAS) == NONE
    gone = started(kind=OrderKind.PACKAGE, package_id=uuid4())
    assert facts_of_payment(gone, ANNAS) == facts_of_payment(started(), ANNAS) == NONE


def test_a_name_of_the_catalogue_becomes_no_link() -> None:
    execute("UPDATE public.packages SET name = 'Пакет на evil.example/login' WHERE id = %s", [PACKAGE])
    purchase = facts_of_payment(started(kind=OrderKind.PACKAGE, package_id=PACKAGE), ANNAS).purchase
    assert purchase is not None
    assert purchase.name == "Пакет на evil. example/ login".replace("/ ", "/")


def test_a_meeting_has_the_time_and_the_length_of_its_row() -> None:
    row = Appointment.objects.get(pk=BOOKED)
    meeting = facts_of_appointment(BOOKED, ANNAS).meeting
    assert meeting is not None
    assert (meeting.id, meeting.starts_at, meeting.minutes) == (BOOKED, row.scheduled_at, 50)
    assert meeting.is_online
    execute(
        "UPDATE public.appointments SET duration_minutes = 80, meeting_format = 'in_person' WHERE id = %s", [BOOKED]
    )
    changed = facts_of_appointment(BOOKED, ANNAS).meeting
    assert changed is not None
    assert (changed.minutes, changed.is_online) == (80, False)
    assert changed.revision >= meeting.revision > 0


@pytest.mark.parametrize("minutes", [None, 0, -1, 2**31 - 1])
def test_a_length_that_no_meeting_has_is_that_of_its_kind(minutes: int | None) -> None:
    execute("UPDATE public.appointments SET duration_minutes = %s WHERE id = %s", [minutes, BOOKED])
    meeting = facts_of_appointment(BOOKED, ANNAS).meeting
    assert meeting is not None
    assert meeting.minutes == 50


@pytest.mark.parametrize("status", ["cancelled", "completed", "no_show"])
def test_what_will_not_take_place_is_no_meeting(status: str) -> None:
    execute("UPDATE public.appointments SET status = %s WHERE id = %s", [status, BOOKED])
    assert facts_of_appointment(BOOKED, ANNAS) == NONE


@pytest.mark.parametrize("when", ["infinity", "-infinity", "20000-01-01", "0044-03-15 BC"])
def test_a_time_that_no_calendar_has_is_no_meeting(when: str) -> None:
    execute("UPDATE public.appointments SET scheduled_at = %s WHERE id = %s", [when, BOOKED])
    assert facts_of_appointment(BOOKED, ANNAS) == NONE


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(booking=APPOINTMENTS, payment=PAYMENTS)
def test_no_row_of_a_customer_breaks_a_mail(booking: dict[str, Any], payment: dict[str, Any]) -> None:
    execute(*change("appointments", booking, BOOKED))
    execute(*change("payments", payment, OLD_PACKAGE))
    meeting = facts_of_appointment(BOOKED, ANNAS).meeting
    assert meeting is None or (2000 <= meeting.starts_at.year < 2200 and 0 <= meeting.revision < 2**31)
    facts_of_payment(OLD_PACKAGE, ANNAS)


def test_without_the_right_to_read_a_table_the_mail_says_less(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.writing.facts._seldom._quiet_until", {})
    request = EmailRequest.parse(message_body("appointment_confirmation", to=ANNAS, appointment_id=str(BOOKED)))
    assert isinstance(facts_about(request).meeting, Meeting)
    # An older Supabase has no such column.
    execute("ALTER TABLE public.appointments DROP COLUMN meeting_format")
    assert facts_about(request) == facts_about(request) == NONE
    (line,) = [record.getMessage() for record in caplog.records if record.name == "notifications.writing.facts"]
    assert line == "mails about each appointment say less than they could: column a.meeting_format does not exist"


def test_the_appointment_mail_brings_its_file_and_the_log_its_name_alone(mailbox: Mailbox) -> None:
    row, message = sent(mailbox, "appointment_confirmation", appointment_id=str(BOOKED))
    assert row.status == Status.SENT
    (part,) = message.iter_attachments()
    assert part["Content-Type"].params == {"charset": "utf-8", "method": "PUBLISH"}
    assert (part.get_content_type(), part.get_filename()) == ("text/calendar", "vstrecha.ics")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert b"\n" not in content.replace(b"\r\n", b"")
    (event,) = icalendar.Calendar.from_ical(content).walk("VEVENT")
    assert isinstance(event, icalendar.Event)
    assert event["UID"] == str(BOOKED)
    starts_at = Appointment.objects.get(pk=BOOKED).scheduled_at
    assert starts_at.replace(second=0, microsecond=0) == event.DTSTART
    assert row.attachments == "vstrecha.ics"
    assert "VCALENDAR" not in row.html_body + row.text_body
    assert "приложен файл" in row.text_body


def test_a_mail_about_nobodys_appointment_goes_out_without_a_file(mailbox: Mailbox) -> None:
    row, message = sent(mailbox, "appointment_confirmation", appointment_id=str(uuid4()))
    assert row.status == Status.SENT
    assert list(message.iter_attachments()) == []
    assert row.attachments == ""


def test_the_payment_mail_says_what_was_bought(mailbox: Mailbox) -> None:
    payment = started(kind=OrderKind.PACKAGE, package_id=PACKAGE)
    row, _ = sent(mailbox, "payment_confirmation", payment_id=str(payment))
    assert "Что оплачено: Четыре консультации\nВстреч в пакете: 4\n" in row.text_body
    assert f"Заказ: №\u00a0{str(payment)[:8]}" in row.text_body
