"""One mail about a paid booking, though Supabase asks for one at each row: late ones, second ones, and ours."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from notifications.models import EmailMessage, Status
from payments import tasks
from payments.models import Appointment, Checkout
from sandbox.frontend import Step
from sandbox.mailbox import Mailbox
from sandbox.yookassa import YooKassaServer
from tests.support.bookings import PAID, Buyer, again, buyer
from tests.support.databases import ClonedDatabase
from tests.support.email_deliveries import attempt, enqueue
from tests.support.payment_calls import Catalogue, Customer, tomorrow

CONFIRMATION = "appointment_confirmation"


@pytest.fixture(autouse=True)
def _as_in_production(database: ClonedDatabase, mailbox: Mailbox, settings: Settings) -> None:
    settings.APPOINTMENT_WAIT_SECONDS = 90


@pytest.fixture
def anna(catalogue: Catalogue, yookassa: YooKassaServer) -> Buyer:
    return buyer(catalogue, yookassa).play(*PAID)


def send_mails() -> int:
    """Work off what Supabase has queued about bookings; returns how many of all mails about them were sent so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT msg_id FROM pgmq.q_email_queue WHERE message ->> 'template' = %s ORDER BY msg_id", [CONFIRMATION]
        )
        waiting = [msg_id for (msg_id,) in cursor]
    for msg_id in waiting:
        attempt(msg_id)
    return EmailMessage.objects.filter(template=CONFIRMATION, status=Status.SENT).count()


def let_wait_end() -> None:
    Checkout.objects.filter(give_at__isnull=False).update(give_at=datetime.now().astimezone() - timedelta(seconds=1))
    tasks.give_held()


def test_the_mail_about_the_pages_row_links_it_at_once(anna: Buyer) -> None:
    anna.play(Step.BOOK)
    assert send_mails() == 1
    assert [str(anna.only_booking().pk)] == anna.visit.bookings


def test_a_row_inserted_twice_is_mailed_about_once(anna: Buyer) -> None:
    anna.play(Step.BOOK, Step.BOOK)
    assert send_mails() == 1
    assert send_mails() == 1
    anna.only_booking()
    assert EmailMessage.objects.filter(status=Status.DUPLICATE).count() == 1


def test_a_row_that_comes_after_ours_is_mailed_about_once_and_stays(anna: Buyer) -> None:
    let_wait_end()
    assert send_mails() == 1
    anna.play(Step.BOOK)
    assert send_mails() == 1
    assert [str(anna.only_booking().pk)] == anna.visit.bookings


def test_mails_that_stood_in_line_while_their_rows_were_merged_are_one(anna: Buyer) -> None:
    let_wait_end()
    anna.play(Step.BOOK, Step.BOOK)
    tasks.give_held()
    anna.only_booking()
    assert send_mails() == 1


def test_two_payments_are_two_bookings_and_two_mails(
    catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings
) -> None:
    settings.APPOINTMENT_SLOT_CAPACITY = 2
    customer = Customer()
    for _ in range(2):
        child = str(customer.child().pk)
        again(customer, catalogue, yookassa, tomorrow(), profile_id=child).play(*PAID, Step.BOOK)
    assert send_mails() == 2


def test_bookings_of_no_payment_are_mailed_about_each(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    buyer(catalogue, yookassa).play(Step.BOOK, Step.BOOK)
    assert send_mails() == 2


@pytest.mark.parametrize("asked", ["7f6b1f6e-95cf-4dc4-9d39-3c9d6d6c6b11", "7", "", "infinity"])
def test_whatever_id_a_mail_names_harms_nothing(asked: str, anna: Buyer) -> None:
    assert anna.customer.user.email is not None
    for _ in range(2):
        enqueue(
            CONFIRMATION,
            to=anna.customer.user.email,
            appointment_id=asked or "x",
            appointment_type="Консультация",
            scheduled_at=tomorrow().isoformat(),
            status="scheduled",
        )
    assert send_mails() in (0, 2)
    assert not Appointment.objects.exists()
