"""Rows that claim a payment, by its id at YooKassa or by carrying it: worth no more than what proves the claim."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.utils import timezone

from payments.checking.sync import sync_payment
from payments.models import Checkout, Fulfilment, PackagePurchase, Payment
from payments.states import Attention, Door, PaymentStatus
from sandbox.yookassa import YooKassaServer
from tests.support.overlapping import overlap
from tests.support.payment_calls import Catalogue, Customer, tomorrow
from tests.support.payment_deliveries import assert_left_to_staff, create_at_yookassa, paid

pytestmark = pytest.mark.usefixtures("database", "yookassa")


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
    customer.inserts_row(catalogue.bundle(), external_payment_id="2f-another")
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


def test_a_claim_without_a_time_is_no_claim(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create_at_yookassa({})
    yookassa.succeed(made.id)
    row = customer.inserts_row(catalogue.bundle(), external_payment_id=made.id, created_at=None)
    assert customer.verify(row.pk).code == "payment_mismatch"
    Payment.objects.filter(pk=row.pk).update(created_at=made.created_at)
    honest = yookassa.shop.payment
    with monkeypatch.context() as patch:
        patch.setattr(yookassa.shop, "payment", lambda payment_id: honest(payment_id) | {"created_at": None})
        assert customer.verify(row.pk).code == "payment_mismatch"
    assert not Checkout.objects.exists()
    assert customer.verify(row.pk).body["status"] == "completed"


def test_money_that_is_known_as_another_rows_is_nobodys_after_that_row_was_emptied(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    made = create_at_yookassa({})
    assert made.created_at is not None
    known = customer.inserts_row(catalogue.bundle(), external_payment_id=made.id, created_at=made.created_at)
    assert customer.verify(known.pk).body["status"] == "processing"
    yookassa.succeed(made.id)
    # Its payer strikes the id out of the row and puts it into a new one.
    Payment.objects.filter(pk=known.pk).update(external_payment_id=None)
    new = customer.inserts_row(catalogue.bundle(), external_payment_id=made.id, created_at=made.created_at)
    assert customer.verify(new.pk).code == "payment_mismatch"
    assert Payment.objects.get(pk=new.pk).status == PaymentStatus.PENDING
    assert [checkout.pk for checkout in Checkout.objects.all()] == [known.pk]
    assert not Fulfilment.objects.exists()


def test_two_doors_that_open_at_once_take_an_older_payment_over_once(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    row = customer.inserts_row(catalogue.bundle())
    made = create_at_yookassa({"payment_id": str(row.pk)})
    yookassa.succeed(made.id)
    Payment.objects.filter(pk=row.pk).update(external_payment_id=made.id)
    doors = (partial(sync_payment, row.pk, door=door) for door in (Door.API, Door.WEBHOOK))
    assert overlap(*doors) is True
    assert Checkout.objects.get().checks == 2
    assert PackagePurchase.objects.get().payment_id == row.pk
