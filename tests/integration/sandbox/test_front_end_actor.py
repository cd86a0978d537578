"""The actor of the front end does what a browser with a customer's token can do, and no more."""

import uuid
from datetime import UTC, datetime

import psycopg2.errors
import pytest

from payments.models import Appointment, Fulfilment, Payment
from sandbox.frontend import Order, Step, as_the_clock_has_it, every_order
from sandbox.yookassa import YooKassaServer
from tests.support.databases import ClonedDatabase
from tests.support.front_ends import tab_of, visit_of
from tests.support.payment_calls import Customer, make_catalogue, tomorrow

pytestmark = pytest.mark.usefixtures("database")


def an_order() -> Order:
    return Order.new_consultation(make_catalogue().consultation.pk, as_the_clock_has_it(tomorrow()), "4500.00")


def test_the_usual_order_ends_in_a_paid_consultation(yookassa: YooKassaServer) -> None:
    visit = visit_of(Customer(), an_order(), yookassa).play([Step.ROW, Step.CREATE, Step.PAID, Step.VERIFY])
    assert [answer.status for answer in visit.answers] == [200, 200]
    assert visit.payments == visit.rows == [visit.own_id]
    assert visit.answers[-1].body["status"] == "completed"
    assert Fulfilment.objects.filter(pk=uuid.UUID(visit.own_id)).exists()


def test_its_rows_are_the_front_ends(yookassa: YooKassaServer) -> None:
    visit = visit_of(Customer(), an_order(), yookassa).play([Step.ROW, Step.BOOK])
    row, booked = Payment.objects.get(pk=visit.own_id), Appointment.objects.get(pk=visit.bookings[0])
    assert (row.status, row.currency, row.payment_method, row.external_payment_id) == (
        "pending",
        "RUB",
        "yookassa",
        None,
    )
    assert row.metadata == visit.order.metadata
    assert (booked.payment_id, booked.scheduled_at) == (None, datetime.fromisoformat(row.metadata["scheduled_at"]))


def test_steps_that_lack_what_they_need_are_left_out(yookassa: YooKassaServer) -> None:
    visit = visit_of(Customer(), an_order(), yookassa).play([Step.VERIFY, Step.PAID, Step.NOTIFIED])
    assert (visit.answers, visit.rows, visit.bookings) == ([], [], [])


def test_row_security_holds_it(database: ClonedDatabase) -> None:
    anna, igor = Customer(), Customer()
    row = tab_of(igor).insert_payment(an_order())
    tab = tab_of(anna)
    assert tab.write("SELECT id FROM public.payments") == []
    assert tab.write("UPDATE public.payments SET status = 'completed' WHERE id = %s RETURNING id", row) == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
        tab.write("INSERT INTO public.payments (user_id, amount) VALUES (%s, 1)", str(igor.id))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        tab.write("SELECT * FROM balansity.payments_checkout")


def test_a_picked_minute_gets_the_seconds_of_the_clock() -> None:
    now = datetime(2026, 11, 26, 10, 20, 30, 456789, tzinfo=UTC)
    picked = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
    order = Order.new_consultation(uuid.uuid4(), as_the_clock_has_it(picked, now), "4500.00")
    assert order.metadata["scheduled_at"] == "2026-12-01T09:00:30.456Z"


def test_every_order_pays_what_was_started_and_notifies_what_was_paid() -> None:
    orders = list(every_order())
    assert len(orders) == len(set(orders)) == 120
    for order in orders:
        assert order.index(Step.CREATE) < order.index(Step.PAID) < order.index(Step.NOTIFIED)
