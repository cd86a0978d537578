"""One minute is one time: for orders, places, rows of the front end, and payments from before times were cut."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.checking.sync import sync_payment
from payments.minutes import MINUTE, within_minute, within_minute_of
from payments.models import Appointment, Checkout, Fulfilment
from payments.states import Attention, Door
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_customer
from tests.support.payment_calls import Catalogue, Customer, tomorrow

SAME = ("{}:00Z", "{}:00.001Z", "{}:37.512Z", "{}:59.999999Z", "{}:00+00:00")


def spelt(start: datetime) -> list[str]:
    minute = start.strftime("%Y-%m-%dT%H:%M")
    shifted = (start + timedelta(hours=5, minutes=30, seconds=41)).strftime("%Y-%m-%dT%H:%M:%S")
    return [one.format(minute) for one in SAME] + [f"{shifted}+05:30"]


def pay(customer: Customer, metadata: dict[str, Any], yookassa: YooKassaServer) -> Checkout:
    started = customer.create(metadata)
    assert started.status == 200, started.body
    checkout = Checkout.objects.get(pk=started.body["payment_id"])
    yookassa.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.WEBHOOK)
    checkout.refresh_from_db()
    return checkout


def test_an_hour_is_sold_once_whatever_its_seconds(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    start = tomorrow()
    bought = pay(Customer(), catalogue.booking() | {"scheduled_at": spelt(start)[2]}, yookassa)
    # Cut before it is stored.
    assert bought.scheduled_at == Appointment.objects.get().scheduled_at == start
    for time in spelt(start):
        assert Customer().create(catalogue.booking() | {"scheduled_at": time}).code == "slot_taken", time
    after = (start + MINUTE).isoformat()
    assert Customer().create(catalogue.booking() | {"scheduled_at": after}).status == 200


def test_what_was_started_before_the_hour_was_taken_is_caught_when_it_is_paid(
    catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    started = [Customer().create(catalogue.booking() | {"scheduled_at": time}) for time in spelt(tomorrow())]
    for answer in started:
        checkout = Checkout.objects.get(pk=answer.body["payment_id"])
        yookassa.succeed(str(checkout.external_id))
        sync_payment(checkout.pk, door=Door.WEBHOOK)
    marks = sorted(Checkout.objects.values_list("attention", flat=True))
    assert marks == ["", *[Attention.SLOT_TAKEN] * (len(started) - 1)]
    assert Appointment.objects.count() == 1


def test_rows_with_seconds_take_a_place_and_are_linked(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    start = tomorrow()
    anna, igor = Customer(), Customer()
    own = anna.books(catalogue.consultation, start + timedelta(seconds=59, milliseconds=999))
    assert igor.create(catalogue.booking(start)).code == "slot_taken"
    pay(anna, catalogue.booking(start + timedelta(seconds=1)), yookassa)
    assert Fulfilment.objects.get().appointment_id == own.pk
    assert Appointment.objects.count() == 1


def test_all_spellings_of_an_order_are_one_payment_and_adopt_one_row(
    catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    customer = Customer()
    row = customer.inserts_row(catalogue.booking() | {"scheduled_at": spelt(tomorrow())[3]})
    ids = {
        customer.create(catalogue.booking() | {"scheduled_at": time}).body["payment_id"] for time in spelt(tomorrow())
    }
    assert ids == {str(row.pk)}


def test_an_order_from_before_times_were_cut_is_reused_fulfilled_and_keeps_its_hour(
    catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    customer, start = Customer(), tomorrow()
    first = customer.create(catalogue.booking(start))
    Checkout.objects.update(scheduled_at=start + timedelta(seconds=41))
    assert customer.create(catalogue.booking(start)).body == first.body
    checkout = pay(customer, catalogue.booking(start), yookassa)
    assert str(checkout.pk) == first.body["payment_id"]
    assert Appointment.objects.get().scheduled_at == start
    assert Customer().create(catalogue.booking(start)).code == "slot_taken"


def test_a_row_that_carries_the_payment_is_what_was_ordered_by_its_minute(
    catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    customer, start = Customer(), tomorrow()
    started = customer.create(catalogue.booking(start))
    own = customer.books(catalogue.consultation, start + timedelta(seconds=12), payment_id=started.body["payment_id"])
    yookassa.succeed(str(Checkout.objects.get().external_id))
    assert customer.verify(started.body["payment_id"]).body["status"] == "completed"
    assert Fulfilment.objects.get().appointment_id == own.pk


@pytest.mark.parametrize("time", ["infinity", "-infinity", "20000-01-01", "0044-03-15 BC"])
def test_a_row_outside_of_the_calendar_neither_takes_a_place_nor_breaks_a_payment(
    time: str, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    customer = Customer()
    odd = customer.books(catalogue.consultation, tomorrow())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.appointments SET scheduled_at = %s::timestamptz WHERE id = %s", [time, odd.pk])
    assert pay(customer, catalogue.booking(), yookassa).attention == ""
    assert customer.create(catalogue.booked(odd)).status == 200


@given(
    second=st.integers(-60_000, 120_000).map(lambda milliseconds: timedelta(milliseconds=milliseconds)),
    zone=st.sampled_from(["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Europe/Moscow"]),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_and_python_agree_on_the_minute(catalogue: Catalogue, second: timedelta, zone: str) -> None:
    start = tomorrow().astimezone(UTC)
    Appointment.objects.all().delete()
    row = Appointment.objects.create(
        user=make_customer(), appointment_type=catalogue.consultation, scheduled_at=start + second
    )
    # In a transaction: a session that was changed for good is given up, whenever that is seen.
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone])
        is_same = timedelta(0) <= second < MINUTE
        assert (
            Appointment.objects.filter(within_minute("scheduled_at", start + timedelta(seconds=30))).exists() == is_same
        )
        inner = Appointment.objects.filter(within_minute_of("scheduled_at", OuterRef("scheduled_at")), pk=row.pk)
        assert Appointment.objects.filter(Exists(inner)).exists()
