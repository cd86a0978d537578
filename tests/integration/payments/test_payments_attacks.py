"""What somebody may try who can write rows of their own in Supabase: for a cheaper price, twice, or as a nuisance."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from freezegun import freeze_time

from bridge.daemon.screening import Order
from bridge.pgmq import pgmq_queue
from bridge.queues import registry
from payments.buying.create import Caller, create_payment
from payments.checking import due as due_checks
from payments.checking import reconcile
from payments.models import Appointment, Checkout, Fulfilment, PackagePurchase, Payment, PaymentEvent
from payments.queue import QUEUE, queue_check
from payments.states import Attention, EventKind
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_checkout, make_payment, queued_checks
from tests.support.payment_calls import PRICE, Catalogue, Customer, make_catalogue, tomorrow
from tests.support.payment_deliveries import assert_left_to_staff, create_at_yookassa, paid, work_off
from tests.support.payment_pages import CHECK, LIST, LOOK, page_of, staff_with

pytestmark = pytest.mark.usefixtures("database", "yookassa")


def write(statement: str, *values: Any) -> None:
    """As a browser does through Supabase's REST layer, past all of our code."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_a_dear_consultation_that_carries_a_cheap_payment_is_not_taken_for_what_was_paid(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    dear = make_catalogue(Decimal("9000.00"))
    checkout = paid(yookassa, customer.create(catalogue.booking()))
    customer.books(dear.consultation, tomorrow(), payment_id=checkout.pk)
    assert customer.verify(checkout.pk).body["status"] == "completed"
    assert_left_to_staff(checkout)


def test_the_paid_kind_of_consultation_at_another_time_is_not_taken_for_it_either(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    checkout = paid(yookassa, customer.create(catalogue.booking()))
    customer.books(catalogue.consultation, tomorrow() + timedelta(days=1), payment_id=checkout.pk)
    customer.verify(checkout.pk)
    assert_left_to_staff(checkout)


@pytest.mark.parametrize("dear", [True, False], ids=["another package", "more sessions"])
def test_a_package_that_carries_the_payment_counts_only_as_it_was_sold(
    dear: bool, customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    checkout = paid(yookassa, customer.create(catalogue.bundle()))
    PackagePurchase.objects.create(
        user=customer.user,
        package=make_catalogue(Decimal("9000.00")).package if dear else catalogue.package,
        sessions_remaining=4 if dear else 1000,
        payment_id=checkout.pk,
        purchased_at=timezone.now(),
    )
    customer.verify(checkout.pk)
    assert_left_to_staff(checkout)


def test_somebody_elses_appointment_with_this_payments_id_cannot_keep_it_from_being_completed(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    checkout = paid(yookassa, customer.create(catalogue.booking()))
    Customer().books(catalogue.consultation, tomorrow(), payment_id=checkout.pk)
    assert customer.verify(checkout.pk).body["status"] == "completed"
    assert_left_to_staff(checkout)


def test_what_was_paid_is_completed_although_its_kind_left_the_catalogue_meanwhile(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    checkout = paid(yookassa, customer.create(catalogue.booking()))
    write("DELETE FROM public.packages")
    write("DELETE FROM public.appointment_types")
    assert customer.verify(checkout.pk).body["status"] == "completed"
    assert_left_to_staff(checkout)
    assert not Appointment.objects.exists()


def test_an_old_payment_of_the_system_before_us_buys_nothing_a_second_time(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    row = customer.inserts_row(catalogue.booking(), status="completed")
    made = create_at_yookassa({"payment_id": str(row.pk)})
    with freeze_time(timezone.now() - timedelta(days=2)):
        yookassa.succeed(made.id)
    write("UPDATE public.payments SET external_payment_id = %s", made.id)
    assert customer.verify(row.pk).body["status"] == "completed"
    assert_left_to_staff(Checkout.objects.get())
    assert not Appointment.objects.exists()


def test_a_deleted_row_that_comes_back_as_somebody_elses_gives_them_nothing(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    checkout, thief = paid(yookassa, customer.create(catalogue.bundle())), Customer()
    write("DELETE FROM public.payments")
    Payment.objects.create(pk=checkout.pk, user=thief.user, amount=PRICE)
    thief.verify(checkout.pk)
    checkout.refresh_from_db()
    assert checkout.attention == Attention.MISMATCH
    assert not PackagePurchase.objects.exists()
    assert not Fulfilment.objects.exists()


def test_a_row_that_was_deleted_and_written_again_does_not_bring_a_second_package(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    checkout = paid(yookassa, customer.create(catalogue.bundle()))
    customer.verify(checkout.pk)
    write("DELETE FROM public.package_purchases")
    write("DELETE FROM public.payments")
    Payment.objects.create(pk=checkout.pk, user=customer.user, amount=1, metadata=catalogue.bundle())
    assert customer.verify(checkout.pk).body["status"] == "completed"
    assert not PackagePurchase.objects.exists()
    assert PaymentEvent.objects.filter(payment_id=checkout.pk, kind=EventKind.FULFILLED).count() == 1


def test_a_payment_whose_row_was_deleted_is_checked_until_it_has_an_end(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    started = customer.create(catalogue.booking())
    Checkout.objects.update(next_check_at=timezone.now())
    write("DELETE FROM public.payments")
    yookassa.expire(str(Checkout.objects.get().external_id))
    assert due_checks.queue_due_checks() == 1
    work_off()
    checkout = Checkout.objects.get(pk=started.body["payment_id"])
    # Nobody has paid, so nobody need look.
    assert (checkout.provider_status, checkout.attention, checkout.next_check_at) == ("canceled", "", None)
    assert (due_checks.queue_due_checks(), queued_checks()) == (0, [])


POISON = {
    "a number of 5000 digits": '{"a": 1e5000}',
    "3000 levels": '{"a":' * 3000 + "1" + "}" * 3000,
    "as many levels as can just be read": '{"a":' * 880 + "1" + "}" * 880,
}


@pytest.mark.parametrize("metadata", POISON.values(), ids=POISON)
def test_metadata_that_python_cannot_hold_harms_no_list(metadata: str, customer: Customer) -> None:
    external_id = "22222222-000f-5000-8000-000000000000"
    row, other = make_payment(user=customer.user), make_checkout()
    write(
        "UPDATE public.payments SET metadata = %s::jsonb, external_payment_id = %s WHERE id = %s",
        *(metadata, external_id, row.pk),
    )
    staff = staff_with(*LOOK, CHECK)
    assert str(other.pk) in staff.get(LIST).content.decode()
    assert "unreadable" in staff.get(page_of(row.pk)).content.decode()
    [shown] = customer.get("/api/payments").body["results"]
    assert "unreadable" in shown["metadata"]
    assert customer.verify(row.pk).code == "payment_mismatch"
    assert reconcile._older_rows([external_id]).keys() == {external_id}


@pytest.mark.parametrize("time", ["infinity", "-infinity", "20000-01-01", "0044-03-15 BC", "9999-12-31 23:59:59+00"])
def test_a_time_outside_of_the_calendar_harms_no_list(time: str, customer: Customer) -> None:
    row, other = make_payment(user=customer.user), make_checkout()
    write("UPDATE public.payments SET created_at = %s::timestamptz WHERE id = %s", time, row.pk)
    staff = staff_with(*LOOK, CHECK)
    assert str(other.pk) in staff.get(LIST).content.decode()
    assert staff.get(page_of(row.pk)).status_code == 200
    assert customer.get("/api/payments").body["results"][0]["id"] == str(row.pk)
    assert customer.verify(row.pk).body["status"] == "pending"


def test_a_currency_of_any_length_in_an_older_row_is_put_right(customer: Customer, catalogue: Catalogue) -> None:
    row = customer.inserts_row(catalogue.booking(), currency="RUBLES")
    made = create_at_yookassa({"payment_id": str(row.pk)})
    write("UPDATE public.payments SET external_payment_id = %s", made.id)
    assert customer.verify(row.pk).body["payment"]["currency"] == "RUB"


def test_a_chosen_id_of_a_row_is_no_way_around_the_order(customer: Customer, catalogue: Catalogue) -> None:
    chosen = uuid.UUID(int=0)
    write(
        "INSERT INTO public.payments (id, user_id, amount, metadata, status) VALUES (%s, %s, 1, '{}', 'completed')",
        *(chosen, customer.id),
    )
    started = create_payment(caller=Caller(customer.id, ""), amount=PRICE, currency="RUB", metadata=catalogue.bundle())
    assert started.payment_id != chosen
    assert customer.verify(chosen).body["status"] == "pending"


def test_a_flood_of_the_queue_waits_behind_our_own_checks(customer: Customer, catalogue: Catalogue) -> None:
    write("SET ROLE anon")
    write("SELECT public.queue_payment_processing(gen_random_uuid(), 'verify') FROM generate_series(1, 500)")
    write("RESET ROLE")
    ours = queue_check(uuid.uuid4(), "update_status")
    order = Order(registry.get(QUEUE), pgmq_queue(QUEUE))
    assert (order.next_ids(10, crowded=True) or [])[:1] == [ours]
