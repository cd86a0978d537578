"""How many places of a time are taken: a row and a kept place are one only if they are of one customer and child."""

import uuid

import pytest
from django.utils import timezone
from pytest_django import Settings

from payments.checking.sync import sync_payment
from payments.consultations.places import is_full
from payments.models import Appointment, Checkout, Fulfilment
from payments.states import Door, OrderKind, ProviderStatus
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_checkout
from tests.support.payment_calls import Catalogue, Customer, tomorrow
from tests.support.payment_deliveries import paid

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _two_places(settings: Settings) -> None:
    settings.APPOINTMENT_SLOT_CAPACITY = 2


@pytest.fixture
def anna(database: object) -> Customer:
    return Customer()


def keep(anna: Customer, catalogue: Catalogue, child: uuid.UUID | None) -> None:
    """A place that is paid and waits for the page's own row."""
    checkout = make_checkout(
        ProviderStatus.SUCCEEDED,
        kind=OrderKind.APPOINTMENT,
        appointment_type_id=catalogue.consultation.pk,
        scheduled_at=tomorrow(),
        profile_id=child,
        held_at=timezone.now(),
        give_at=timezone.now(),
    )
    Checkout.objects.filter(pk=checkout.pk).update(user_id=anna.id)


def test_a_payers_own_row_and_her_kept_place_are_one(anna: Customer, catalogue: Catalogue) -> None:
    child = anna.child()
    keep(anna, catalogue, child.pk)
    row = anna.books(catalogue.consultation, tomorrow())
    assert not is_full(catalogue.consultation.pk, tomorrow())
    Appointment.objects.filter(pk=row.pk).update(profile=child)
    assert not is_full(catalogue.consultation.pk, tomorrow())


def test_a_row_of_another_customer_or_child_is_a_place_of_its_own(anna: Customer, catalogue: Catalogue) -> None:
    keep(anna, catalogue, anna.child().pk)
    row = anna.books(catalogue.consultation, tomorrow(), profile=anna.child())
    assert is_full(catalogue.consultation.pk, tomorrow())
    Appointment.objects.filter(pk=row.pk).update(profile=None, user=Customer().user)
    assert is_full(catalogue.consultation.pk, tomorrow())


def test_who_has_paid_for_one_child_may_pay_for_the_other(
    anna: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    for _ in range(2):
        booking = catalogue.booking(profile_id=str(anna.child().pk))
        checkout = paid(yookassa, anna.create(booking))
        sync_payment(checkout.pk, door=Door.WEBHOOK)
        assert Fulfilment.objects.filter(pk=checkout.pk).exists()
    assert len(set(Appointment.objects.values_list("profile_id", flat=True))) == 2
