"""Rows that carry a payment's id before anything was given for it: taken for what was paid only where they are that."""

import uuid
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from payments.checking.apply import apply_observation
from payments.checking.sync import send_and_ask, sync_payment
from payments.models import Appointment, Checkout, Fulfilment, Package, PackagePurchase, Payment
from payments.states import Attention, Door
from sandbox.yookassa import YooKassaServer
from tests.support.payment_calls import Catalogue, Customer, make_catalogue, tomorrow
from tests.support.payment_deliveries import assert_left_to_staff, create_at_yookassa, paid

pytestmark = pytest.mark.usefixtures("database", "yookassa")


@pytest.fixture
def catalogue(database: object) -> Catalogue:
    # Somebody else's prices and packages stand in the catalogue first.
    dear = make_catalogue(Decimal("9000.00")).consultation
    Package.objects.all().delete()
    Package.objects.create(
        pk=uuid.UUID(int=1), name="Одна", session_count=1, appointment_type=dear, price=Decimal("9000.00")
    )
    return make_catalogue()


def older(customer: Customer, metadata: object, yookassa: YooKassaServer) -> Payment:
    """A payment that the system before us started, and that is paid."""
    row = customer.inserts_row(metadata)
    made = create_at_yookassa({"payment_id": str(row.pk)})
    yookassa.succeed(made.id)
    Payment.objects.filter(pk=row.pk).update(external_payment_id=made.id)
    return row


def buys(customer: Customer, package: Package, payment_id: uuid.UUID, sessions: int) -> PackagePurchase:
    """As a browser inserts it."""
    return PackagePurchase.objects.create(
        user=customer.user,
        package=package,
        sessions_remaining=sessions,
        payment_id=payment_id,
        purchased_at=timezone.now(),
    )


def only_fulfilment(payment_id: uuid.UUID) -> Fulfilment:
    assert Checkout.objects.get(pk=payment_id).attention == ""
    return Fulfilment.objects.get(pk=payment_id)


@pytest.mark.parametrize("left", [4, 3])
def test_a_package_that_the_page_inserted_itself_is_what_was_paid_as_long_as_it_has_no_more_sessions(
    left: int, customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    checkout = paid(yookassa, customer.create(catalogue.bundle()))
    own = buys(customer, catalogue.package, checkout.pk, left)
    sync_payment(checkout.pk, door=Door.WEBHOOK)
    given = only_fulfilment(checkout.pk)
    assert (given.how, given.purchase_id) == (Fulfilment.How.FOUND, own.pk)
    assert PackagePurchase.objects.count() == 1


def test_what_the_system_before_us_gave_counts_whatever_became_of_it(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    bundle, booking = older(customer, catalogue.bundle(), yookassa), older(customer, catalogue.booking(), yookassa)
    buys(customer, catalogue.package, bundle.pk, 40)
    customer.books(catalogue.consultation, tomorrow(), payment_id=booking.pk, status="cancelled")
    for payment in (bundle, booking):
        sync_payment(payment.pk, door=Door.RECONCILIATION)
        assert only_fulfilment(payment.pk).how == Fulfilment.How.FOUND
    assert (PackagePurchase.objects.count(), Appointment.objects.count()) == (1, 1)


def test_a_booked_consultation_that_carries_its_payment_already_is_the_one_that_was_paid(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    booked = customer.books(catalogue.consultation, tomorrow())
    checkout = paid(yookassa, customer.create(catalogue.booked(booked)))
    Appointment.objects.filter(pk=booked.pk).update(payment=checkout.pk)
    sync_payment(checkout.pk, door=Door.WEBHOOK)
    assert only_fulfilment(checkout.pk).appointment_id == booked.pk


def test_another_consultation_that_carries_the_payment_of_a_booked_one_is_left_to_staff(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    booked = customer.books(catalogue.consultation, tomorrow())
    checkout = paid(yookassa, customer.create(catalogue.booked(booked)))
    customer.books(catalogue.consultation, tomorrow() + timedelta(days=1), payment_id=checkout.pk)
    sync_payment(checkout.pk, door=Door.WEBHOOK)
    assert_left_to_staff(checkout)


def test_the_price_of_an_older_payments_order_is_that_of_the_very_thing(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    right = older(customer, catalogue.bundle(), yookassa)
    sync_payment(right.pk, door=Door.RECONCILIATION)
    assert only_fulfilment(right.pk).how == Fulfilment.How.MADE
    dear = Package.objects.exclude(pk=catalogue.package.pk).get()
    wrong = older(customer, {"type": "package", "package_id": str(dear.pk)}, yookassa)
    sync_payment(wrong.pk, door=Door.RECONCILIATION)
    assert Checkout.objects.get(pk=wrong.pk).attention == Attention.NOT_FULFILLED
    assert not PackagePurchase.objects.filter(package=dear).exists()


def test_nothing_is_given_for_an_older_payment_of_which_nobody_says_when_it_was_paid(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    payment = older(customer, catalogue.bundle(), yookassa)
    seen = send_and_ask(payment.pk)
    assert seen.payment is not None
    untold = replace(seen, payment=replace(seen.payment, captured_at=None))
    apply_observation(untold, door=Door.RECONCILIATION)
    assert_left_to_staff(Checkout.objects.get(pk=payment.pk))
    assert not PackagePurchase.objects.exists()
