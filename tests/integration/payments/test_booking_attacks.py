"""Customers who rewrite, delete and double their rows by hand: no money gets lost, and none buys two things."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from payments import tasks
from payments.checking.sync import sync_payment
from payments.models import Checkout, Fulfilment, PackagePurchase, Payment
from payments.states import Attention, Door
from sandbox.frontend import Step
from sandbox.yookassa import YooKassaServer
from tests.support.bookings import PAID, Buyer, Clock, again, buyer, let_wait_pass
from tests.support.databases import ClonedDatabase
from tests.support.payment_calls import Catalogue, Customer, tomorrow

pytestmark = pytest.mark.usefixtures("wait_as_in_production")


@pytest.fixture
def given(catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock) -> Buyer:
    """Anna has paid, and her own row is linked."""
    anna = buyer(catalogue, yookassa).play(*PAID, Step.BOOK)
    tasks.give_held()
    anna.only_booking()
    return anna


def pay(customer: Customer, metadata: dict[str, Any], yookassa: YooKassaServer) -> Checkout:
    """Start a payment and pay it; nobody has told us yet."""
    started = customer.create(metadata)
    assert started.status == 200, started.body
    checkout = Checkout.objects.get(pk=uuid.UUID(started.body["payment_id"]))
    yookassa.succeed(str(checkout.external_id))
    return checkout


class TestWhatWasGivenForAnotherPayment:
    def test_cannot_be_ordered_once_more_when_its_payment_was_struck_out(
        self, given: Buyer, catalogue: Catalogue
    ) -> None:
        booked = given.rows[0]
        given.visit.tab.write("UPDATE public.appointments SET payment_id = NULL WHERE id = %s", str(booked.pk))
        assert given.customer.create(catalogue.booked(booked)).code == "already_paid"

    @pytest.mark.parametrize("order", ["booked", "new"])
    def test_struck_out_in_between_is_paid_and_not_given(
        self, order: str, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock, settings: Settings
    ) -> None:
        settings.APPOINTMENT_SLOT_CAPACITY = 3
        anna = buyer(catalogue, yookassa).play(Step.BOOK)
        [booked] = anna.rows
        later = pay(anna.customer, catalogue.booking(anna.start), yookassa)
        Checkout.objects.filter(pk=later.pk).update(created_at=timezone.now() - timedelta(hours=1))
        anna.play(Step.CREATE, Step.PAID, Step.NOTIFIED)
        anna.visit.tab.write("UPDATE public.appointments SET payment_id = NULL WHERE id = %s", str(booked.pk))
        if order == "booked":
            Checkout.objects.filter(pk=later.pk).update(appointment_id=booked.pk, scheduled_at=None)
        sync_payment(later.pk, door=Door.QUEUE)
        assert Payment.objects.get(pk=later.pk).status == "completed"
        assert Fulfilment.objects.filter(appointment_id=booked.pk).count() == 1

    def test_that_is_given_another_payments_id_is_paid_and_not_given(
        self, given: Buyer, catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings
    ) -> None:
        settings.APPOINTMENT_SLOT_CAPACITY = 3
        child = given.customer.child()
        other = pay(given.customer, catalogue.booking(given.start, profile_id=str(child.pk)), yookassa)
        given.visit.tab.write(
            "UPDATE public.appointments SET payment_id = %s WHERE id = %s", str(other.pk), str(given.rows[0].pk)
        )
        sync_payment(other.pk, door=Door.QUEUE)
        assert Payment.objects.get(pk=other.pk).status == "completed"
        other.refresh_from_db()
        assert other.attention == Attention.NOT_FULFILLED

    def test_holds_for_packages_too(self, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
        customer = Customer()
        first = pay(customer, catalogue.bundle(), yookassa)
        sync_payment(first.pk, door=Door.QUEUE)
        second = pay(customer, catalogue.bundle(), yookassa)
        PackagePurchase.objects.update(payment=second.pk)
        sync_payment(second.pk, door=Door.QUEUE)
        assert Payment.objects.get(pk=second.pk).status == "completed"
        second.refresh_from_db()
        assert second.attention == Attention.NOT_FULFILLED


def test_two_tabs_that_both_pay_are_one_consultation_and_a_person_is_told(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock, settings: Settings
) -> None:
    settings.APPOINTMENT_SLOT_CAPACITY = 3
    customer, start = Customer(), tomorrow()
    tabs = [again(customer, catalogue, yookassa, start).play(Step.ROW, Step.CREATE) for _ in range(2)]
    for tab in tabs:
        tab.play(Step.PAID, Step.VERIFY)
    for tab in tabs:
        tab.play(Step.BOOK)
    let_wait_pass(clock)
    assert len(tabs[0].rows) == 1
    assert {tabs[0].checkout.attention, tabs[1].checkout.attention} == {"", Attention.NOT_FULFILLED}


@pytest.fixture
def unique_payments(database: ClonedDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE UNIQUE INDEX one_per_payment ON public.appointments (payment_id) WHERE payment_id IS NOT NULL"
        )


@pytest.mark.usefixtures("unique_payments")
class TestWhereAPaymentMayStandInOneBookingOnly:
    def test_a_late_row_takes_the_place_of_ours(
        self, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
    ) -> None:
        anna = buyer(catalogue, yookassa).play(*PAID)
        let_wait_pass(clock)
        anna.play(Step.BOOK, Step.BOOK)
        tasks.give_held()
        assert str(anna.only_booking().pk) in anna.visit.bookings

    def test_two_rows_before_the_payment_are_one(
        self, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
    ) -> None:
        anna = buyer(catalogue, yookassa).play(Step.BOOK, Step.BOOK, *PAID)
        tasks.give_held()
        assert str(anna.only_booking().pk) in anna.visit.bookings

    def test_a_row_that_lost_its_payment_to_another_is_left_to_them(
        self, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        anna = buyer(catalogue, yookassa).play(*PAID)
        let_wait_pass(clock)
        anna.play(Step.BOOK)
        # The customer moved the booking by hand: the payment stands in a row of another day.
        write = anna.visit.tab.write
        write("DELETE FROM public.appointments WHERE payment_id IS NOT NULL")
        write(
            "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, payment_id)"
            " VALUES (%s, %s, %s, %s)",
            *(str(anna.customer.id), str(catalogue.consultation.pk), anna.start + timedelta(days=1)),
            str(anna.checkout.pk),
        )
        tasks.give_held()
        assert "stays" not in caplog.text
        assert [row.payment_id is None for row in anna.rows].count(True) == 1
