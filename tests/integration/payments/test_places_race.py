"""Two who pay for one place at the same moment: the second waits until the first has it, and then learns so."""

import uuid
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings

from payments.checking.apply import apply_observation
from payments.checking.ask import Observation
from payments.checking.sync import send_and_ask
from payments.consultations.places import lock_place
from payments.ledger.locks import lock_customer, lock_slot
from payments.models import Appointment, Checkout, Fulfilment, Payment
from payments.states import Attention, Door, OrderKind
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_customer
from tests.support.overlapping import overlap
from tests.support.payment_calls import Catalogue, tomorrow
from tests.support.payment_deliveries import start_payment


def paid(shop: YooKassaServer, catalogue: Catalogue, **order: Any) -> Observation:
    """An order that is paid at YooKassa, as it answers; by default for a new consultation tomorrow."""
    order = order or {"scheduled_at": tomorrow()}
    kind = catalogue.consultation.pk
    checkout = start_payment(kind=OrderKind.APPOINTMENT, appointment_type_id=kind, **order)
    shop.succeed(str(checkout.external_id))
    return send_and_ask(checkout.pk)


def assert_left_without_a_place(observation: Observation) -> None:
    checkout = Checkout.objects.get(pk=observation.payment_id)
    assert (checkout.attention, checkout.held_at, checkout.give_at) == (Attention.SLOT_TAKEN, None, None)
    assert not Fulfilment.objects.filter(pk=checkout.pk).exists()
    assert not Appointment.objects.filter(payment_id=checkout.pk).exists()


@pytest.mark.parametrize("wait", [0, 90], ids=["booked at once", "kept for the page's own row"])
def test_of_two_orders_that_are_paid_at_once_one_gets_the_place(
    wait: int, shop: YooKassaServer, catalogue: Catalogue, settings: Settings
) -> None:
    settings.APPOINTMENT_WAIT_SECONDS = wait
    first, second = paid(shop, catalogue), paid(shop, catalogue)
    overlap(partial(apply_observation, first, door=Door.WEBHOOK), partial(apply_observation, second, door=Door.WEBHOOK))
    winner = Checkout.objects.get(pk=first.payment_id)
    assert winner.attention == ""
    assert Appointment.objects.filter(payment_id=winner.pk).exists() or winner.held_at is not None
    assert_left_without_a_place(second)


def test_a_row_that_comes_while_an_order_is_given_the_place_pays_its_way_into_nothing(
    shop: YooKassaServer, catalogue: Catalogue
) -> None:
    own, start = uuid.uuid4(), tomorrow()
    first, second = paid(shop, catalogue), paid(shop, catalogue, appointment_id=own)
    intruder = Checkout.objects.get(pk=second.payment_id)

    def book_and_pay() -> None:
        Appointment.objects.create(
            pk=own, user_id=intruder.user_id, appointment_type=catalogue.consultation, scheduled_at=start
        )
        apply_observation(second, door=Door.WEBHOOK)

    overlap(partial(apply_observation, first, door=Door.WEBHOOK), book_and_pay)
    assert Appointment.objects.get(payment__isnull=False).payment_id == first.payment_id
    assert_left_without_a_place(second)


def test_of_two_rows_without_a_time_of_their_own_that_are_paid_at_once_one_gets_the_place(
    shop: YooKassaServer, catalogue: Catalogue
) -> None:
    orders = []
    for _ in range(2):
        own = Appointment.objects.create(
            user=make_customer(), appointment_type=catalogue.consultation, scheduled_at=tomorrow()
        )
        orders.append(paid(shop, catalogue, appointment_id=own.pk))
        user_id = Checkout.objects.values_list("user_id", flat=True).get(pk=orders[-1].payment_id)
        Appointment.objects.filter(pk=own.pk).update(user_id=user_id, created_at=None)
    overlap(*(partial(apply_observation, order, door=Door.WEBHOOK) for order in orders))
    assert Appointment.objects.get(payment__isnull=False).payment_id == orders[0].payment_id
    assert_left_without_a_place(orders[1])


@pytest.mark.usefixtures("database")
def test_a_place_is_locked_by_its_kind_and_minute() -> None:
    kind, start = uuid.uuid4(), tomorrow()
    for other, seconds, waits in ((kind, 0, True), (kind, 59.9, True), (kind, 60, False), (uuid.uuid4(), 0, False)):

        @transaction.atomic
        def take(kind: uuid.UUID = other, after: float = seconds) -> None:
            lock_place(kind, start + timedelta(seconds=after))

        assert overlap(lambda: lock_place(kind, start), take) is waits, (other, seconds)


@pytest.mark.usefixtures("database")
def test_a_customer_waits_for_nobody_but_themselves() -> None:
    customer, other = uuid.uuid4(), uuid.uuid4()
    for lock, waits in (
        (partial(lock_customer, customer), True),
        (partial(lock_customer, other), False),
        (partial(lock_slot, str(customer)), False),
    ):
        assert overlap(partial(lock_customer, customer), transaction.atomic(lock)) is waits, lock


def test_of_two_payments_for_one_booking_at_once_the_first_stays_in_its_row(
    shop: YooKassaServer, catalogue: Catalogue
) -> None:
    own = Appointment.objects.create(
        user=make_customer(), appointment_type=catalogue.consultation, scheduled_at=tomorrow()
    )
    first, second = (paid(shop, catalogue, appointment_id=own.pk) for _ in range(2))
    for model in (Checkout, Payment):
        model.objects.filter(pk__in=(first.payment_id, second.payment_id)).update(user_id=own.user_id)
    overlap(*(partial(apply_observation, order, door=Door.WEBHOOK) for order in (first, second)))
    assert Appointment.objects.get().payment_id == first.payment_id
    assert Fulfilment.objects.get().pk == first.payment_id
    assert Checkout.objects.get(pk=second.payment_id).attention == Attention.NOT_FULFILLED
