"""Whatever customers write into bookings, and into payments that are under way: who paid gets what they paid for."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from notifications.writing.request import EmailRequest
from payments.models import Appointment, Checkout, Fulfilment, Payment
from sandbox.frontend import Order, Step
from sandbox.yookassa import YooKassaServer
from tests.support.databases import ClonedDatabase
from tests.support.front_ends import tab_of, visit_of
from tests.support.odd_rows import APPOINTMENTS, USERS, change, insertion
from tests.support.payment_calls import Catalogue, Customer, make_catalogue, tomorrow
from tests.support.payment_deliveries import shop_at_yookassa, work_off
from tests.support.payment_pages import CHECK, LOOK, page_of, staff_with, text
from tests.support.report_deliveries import queued_mails

ODD = settings(
    max_examples=2,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NULLS = "currency = NULL, payment_method = NULL, metadata = NULL, created_at = NULL, updated_at = NULL, status = NULL"


def book(customer: Customer, catalogue: Catalogue, **columns: Any) -> uuid.UUID:
    """A row as the customer's browser can write it."""
    booked = uuid.uuid4()
    row = {"id": booked, "scheduled_at": tomorrow(), **columns}
    kind = str(catalogue.consultation.pk)
    statement, values = insertion("appointments", {**row, "user_id": customer.id, "appointment_type_id": kind})
    tab_of(customer).write(statement, *values)
    return booked


@ODD
@given(st.lists(APPOINTMENTS, min_size=6, max_size=6), USERS)
def test_odd_bookings_are_paid_for_or_refused_readably(
    database: ClonedDatabase, settings: Settings, rows: list[dict[str, Any]], account: dict[str, Any]
) -> None:
    for model in (Fulfilment, Checkout, Appointment, Payment):
        model.objects.all().delete()
    catalogue, customer, staff = make_catalogue(), Customer(), staff_with(*LOOK, CHECK, username=str(uuid.uuid4()))
    statement, values = change("users", account, customer.id)
    tab_of(customer).write(statement, *values)
    with shop_at_yookassa(settings) as yookassa:
        for row in rows:
            booked = book(customer, catalogue, **row)
            order = Order.booked_consultation(catalogue.consultation.pk, booked, "4500.00")
            visit = visit_of(customer, order, yookassa).play([Step.ROW, Step.CREATE, Step.PAID, Step.VERIFY])
            assert {answer.status for answer in visit.answers} <= {200, 400, 404, 409}, visit.answers
            assert visit.own_id in text(staff.get(page_of(uuid.UUID(visit.own_id))))
        work_off()


def test_a_booking_without_a_status_holds_its_time(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    at = tomorrow()
    book(Customer(), catalogue, scheduled_at=at, status=None)
    refused = Customer().create(catalogue.booking(at))
    assert (refused.status, refused.code) == (409, "slot_taken")


def test_a_booking_without_a_status_is_linked_and_gets_the_word_that_reminders_look_for(
    catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    customer = Customer()
    booked = book(customer, catalogue, status=None, created_at=None)
    order = Order.booked_consultation(catalogue.consultation.pk, booked, "4500.00")
    visit_of(customer, order, yookassa).play([Step.CREATE, Step.PAID, Step.VERIFY])
    linked = Appointment.objects.get(pk=booked)
    assert linked.payment_id is not None
    assert Appointment.objects.extra(where=["status = 'scheduled'"]).count() == 1


def test_a_booking_without_a_time_of_its_own_gives_way_to_one_with(
    catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    first, second = Customer(), Customer()
    mine, theirs = book(first, catalogue), book(second, catalogue, created_at=None)
    assert first.create(catalogue.booked(Appointment.objects.get(pk=mine))).status == 200
    refused = second.create(catalogue.booked(Appointment.objects.get(pk=theirs)))
    assert (refused.status, refused.code) == (409, "slot_taken")


def test_what_is_on_sale_for_nobody_is_sold_to_nobody(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    type(catalogue.package).objects.update(is_active=None)
    assert tab_of(Customer()).write("SELECT id FROM public.packages") == []
    refused = Customer().create(catalogue.bundle())
    assert (refused.status, refused.code) == (400, "unknown_package")


@pytest.mark.parametrize("door", ["verify", "queue"])
def test_a_payment_whose_row_was_emptied_is_given_and_confirmed(
    catalogue: Catalogue, yookassa: YooKassaServer, door: str
) -> None:
    customer = Customer()
    order = Order.new_consultation(catalogue.consultation.pk, timezone.now() + timedelta(days=2), "4500.00")
    visit = visit_of(customer, order, yookassa).play([Step.ROW, Step.CREATE])
    visit.tab.write(f"UPDATE public.payments SET {NULLS}")
    visit.do(Step.PAID)
    if door == "verify":
        visit.do(Step.VERIFY)
        assert visit.answers[-1].body["status"] == "completed"
    else:
        visit.tab.write("SELECT public.queue_payment_processing(%s)", visit.own_id)
        work_off()
    assert Fulfilment.objects.filter(pk=uuid.UUID(visit.own_id)).exists()
    row = Payment.objects.get(pk=uuid.UUID(visit.own_id))
    assert (row.status, row.currency, row.created_at) == ("completed", "RUB", None)
    (confirmation,) = [mail for mail in queued_mails() if mail["template"] == "payment_confirmation"]
    assert EmailRequest.parse(confirmation).template == "payment_confirmation"
