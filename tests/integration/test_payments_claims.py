"""Rows that claim a payment, by its id at YooKassa or by carrying it: worth no more than what proves the claim."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from payments.models import Checkout, Fulfilment, Payment
from payments.states import Attention, PaymentStatus
from sandbox.yookassa import YooKassaServer
from tests.payment_calls import Catalogue, Customer, make_catalogue, tomorrow
from tests.payment_deliveries import assert_left_to_staff, create_at_yookassa, paid

pytestmark = pytest.mark.usefixtures("database", "yookassa")


@pytest.fixture
def catalogue(database: object) -> Catalogue:
    return make_catalogue()


@pytest.fixture
def customer(database: object) -> Customer:
    return Customer()


@pytest.mark.parametrize("own", [True, False], ids=["the payer's own", "a stranger's"])
def test_an_old_payment_that_names_no_row_proves_no_new_one(
    own: bool, customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    old, made = customer.inserts_row(catalogue.bundle()), create_at_yookassa({})
    yookassa.succeed(made.id)
    Payment.objects.filter(pk=old.pk).update(external_payment_id=made.id, created_at=made.created_at)
    claimant = customer if own else Customer()
    new = claimant.inserts_row(catalogue.bundle(), external_payment_id=made.id)
    assert claimant.verify(new.pk).code == "payment_mismatch"
    assert Payment.objects.get(pk=new.pk).status == PaymentStatus.PENDING
    # Nor once the old row is gone: the payment is older than the row that claims it.
    old.delete()
    Payment.objects.filter(pk=new.pk).update(created_at=timezone.now() + timedelta(minutes=6))
    assert claimant.verify(new.pk).code == "payment_mismatch"
    assert not Checkout.objects.exists()


def test_a_payment_of_the_system_before_us_that_names_no_row_is_taken_over_by_the_one_that_has_its_id(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    made = create_at_yookassa({})
    yookassa.succeed(made.id)
    row = customer.inserts_row(catalogue.bundle(), external_payment_id=made.id)
    assert made.created_at is not None
    Payment.objects.filter(pk=row.pk).update(created_at=made.created_at - timedelta(minutes=1))
    assert customer.verify(row.pk).body["status"] == "completed"


@pytest.mark.parametrize("proof", ["none", "of something else"])
def test_a_payment_that_proves_nothing_is_no_way_into_a_time_that_somebody_booked_before(
    proof: str, customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    first = customer.books(catalogue.consultation, tomorrow())
    rival = Customer()
    row = rival.inserts_row({}, amount=Decimal(1))
    if proof == "of something else":
        bought = paid(yookassa, rival.create(catalogue.bundle()))
        rival.verify(bought.pk)
        row = Payment.objects.get(pk=bought.pk)
    rival.books(catalogue.consultation, tomorrow(), payment_id=row.pk)
    checkout = paid(yookassa, customer.create(catalogue.booked(first)))
    customer.verify(checkout.pk)
    assert Fulfilment.objects.get(pk=checkout.pk).appointment_id == first.pk


def test_an_appointment_that_carries_its_payment_already_does_not_pass_by_who_has_the_time(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    late, quick = paid(yookassa, customer.create(catalogue.booking())), Customer()
    fast = paid(yookassa, quick.create(catalogue.booking()))
    quick.verify(fast.pk)
    customer.books(catalogue.consultation, tomorrow(), payment_id=late.pk)
    customer.verify(late.pk)
    late.refresh_from_db()
    assert late.attention == Attention.SLOT_TAKEN
    assert list(Fulfilment.objects.values_list("pk", flat=True)) == [fast.pk]


def test_a_cancelled_appointment_that_carries_its_payment_is_left_to_staff(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    checkout = paid(yookassa, customer.create(catalogue.booking()))
    customer.books(catalogue.consultation, tomorrow(), payment_id=checkout.pk, status="cancelled")
    customer.verify(checkout.pk)
    assert_left_to_staff(checkout)


def test_an_appointment_that_was_held_before_the_money_came_counts_as_given(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    checkout = paid(yookassa, customer.create(catalogue.booking()))
    held = customer.books(catalogue.consultation, tomorrow(), payment_id=checkout.pk, status="completed")
    customer.verify(checkout.pk)
    assert Fulfilment.objects.get(pk=checkout.pk).appointment_id == held.pk
