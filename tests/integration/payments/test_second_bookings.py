"""Two rows of one booking become one: the page's row comes when ours has been made, or twice."""

import pytest
from django.db import connection
from pytest_django import Settings

from payments import tasks
from payments.checking.sync import sync_payment
from payments.models import Appointment, Fulfilment, Payment, PaymentEvent
from payments.states import Door, EventKind
from sandbox.frontend import Step
from sandbox.yookassa import YooKassaServer
from tests.support.bookings import PAID, WAIT, Buyer, Clock, again, buyer, let_wait_pass, now_in_database
from tests.support.payment_calls import Catalogue, Customer, tomorrow

pytestmark = pytest.mark.usefixtures("wait_as_in_production")


@pytest.fixture
def given(catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock) -> Buyer:
    """Anna's tab was silent for too long, and her booking was made here."""
    anna = buyer(catalogue, yookassa).play(*PAID)
    let_wait_pass(clock)
    anna.only_booking()
    return anna


def test_the_pages_row_is_kept_and_ours_removed(given: Buyer) -> None:
    given.play(Step.BOOK)
    tasks.give_held()
    assert str(given.only_booking().pk) == given.visit.bookings[0]
    merged = PaymentEvent.objects.get(kind=EventKind.MERGED)
    assert merged.data["kept"] == given.visit.bookings[0]
    assert Fulfilment.objects.get().how == Fulfilment.How.LINKED


def test_any_door_does_it_too(given: Buyer) -> None:
    given.play(Step.BOOK)
    sync_payment(given.checkout.pk, door=Door.WEBHOOK)
    given.only_booking()


def test_the_child_of_the_order_goes_into_the_pages_row(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    customer = Customer()
    child = customer.child()
    one = again(customer, catalogue, yookassa, tomorrow(), profile_id=str(child.pk)).play(*PAID)
    let_wait_pass(clock)
    one.visit.tab.write(
        "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at) VALUES (%s, %s, %s)",
        *(str(customer.id), str(catalogue.consultation.pk), one.start),
    )
    tasks.give_held()
    assert one.only_booking().profile_id == child.pk


def test_what_somebody_has_touched_or_booked_at_another_time_is_never_removed(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    for touch in (
        "notes = 'про сон'",
        "scheduled_at = scheduled_at + interval '10 minutes'",
        "status = 'in_progress'",
        "created_at = now() - interval '2 days'",
        "created_at = now() + interval '2 days'",
        "created_at = NULL",
        "status = NULL",
    ):
        clock.move_to(now_in_database())
        one = buyer(catalogue, yookassa).play(*PAID)
        let_wait_pass(clock)
        [ours] = one.rows
        one.play(Step.BOOK)
        _touch(touch, one.visit.bookings[0])
        tasks.give_held()
        assert {str(row.pk) for row in one.rows} == {str(ours.pk), *one.visit.bookings}, touch


def test_ours_stays_when_somebody_has_touched_it_and_the_pages_goes(given: Buyer) -> None:
    ours = given.rows[0]
    _touch("status = status", ours.pk)
    given.play(Step.BOOK)
    tasks.give_held()
    assert given.only_booking().pk == ours.pk


def test_one_that_carries_another_payment_or_is_about_to_be_paid_stays(
    given: Buyer, catalogue: Catalogue, settings: Settings
) -> None:
    settings.APPOINTMENT_SLOT_CAPACITY = 3
    other = Payment.objects.create(user_id=given.customer.id, amount=1)
    given.play(Step.BOOK)
    Appointment.objects.filter(pk=given.visit.bookings[0]).update(payment=other)
    given.play(Step.BOOK)
    row = Appointment.objects.get(pk=given.visit.bookings[1])
    assert given.customer.create(catalogue.booked(row)).status == 200
    tasks.give_held()
    assert len(given.rows) == 3


def test_a_row_stays_while_the_customer_pays_for_that_time_once_more(
    given: Buyer, catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings, clock: Clock
) -> None:
    settings.APPOINTMENT_SLOT_CAPACITY = 2
    second = again(given.customer, catalogue, yookassa, given.start, profile_id=str(given.customer.child().pk))
    second.play(Step.ROW, Step.CREATE, Step.BOOK)
    tasks.give_held()
    assert len(given.rows) == 2
    second.play(Step.PAID, Step.VERIFY)
    let_wait_pass(clock)
    assert {row.payment_id for row in given.rows} == {given.checkout.pk, second.checkout.pk}


def test_a_booking_that_was_called_off_is_not_revived_by_its_twin(given: Buyer) -> None:
    Appointment.objects.update(status="cancelled")
    given.play(Step.BOOK)
    tasks.give_held()
    assert sorted((row.status, row.payment_id is None) for row in given.rows) == [
        ("cancelled", False),
        ("scheduled", True),
    ]


def test_without_the_right_to_delete_both_stay_and_nothing_breaks(given: Buyer) -> None:
    given.play(Step.BOOK)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE insufficient_privilege USING MESSAGE = 'no'; END $$;"
            "CREATE TRIGGER keep BEFORE DELETE ON public.appointments EXECUTE FUNCTION public.keep()"
        )
    tasks.give_held()
    assert given.customer.verify(given.checkout.pk).body["status"] == "completed"
    assert len(given.rows) == 2
    assert Fulfilment.objects.get().appointment_id in {row.pk for row in given.rows if row.payment_id}


def _touch(change: str, appointment_id: object) -> None:
    """Change a row as somebody does an hour after it was made."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE public.appointments DISABLE TRIGGER USER")
        cursor.execute(
            f"UPDATE public.appointments SET updated_at = now() + interval '1 hour', {change} WHERE id = %s",
            [str(appointment_id)],
        )
        cursor.execute("ALTER TABLE public.appointments ENABLE TRIGGER USER")


@pytest.mark.parametrize("pays_after", [True, False], ids=["before the payment", "while it waits"])
def test_two_rows_are_one_booking_as_soon_as_it_is_given(
    pays_after: bool, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock, settings: Settings
) -> None:
    settings.APPOINTMENT_WAIT_SECONDS = 0 if pays_after else WAIT
    one = buyer(catalogue, yookassa)
    if pays_after:
        one.play(Step.BOOK, Step.BOOK, *PAID)
    else:
        one.play(*PAID, Step.BOOK, Step.BOOK)
        sync_payment(one.checkout.pk, door=Door.QUEUE)
    # Not by beat, and not by the next check.
    assert str(one.only_booking().pk) in one.visit.bookings
    line = PaymentEvent.objects.get(payment_id=one.checkout.pk, kind=EventKind.MERGED)
    assert line.data["kept"] == str(one.only_booking().pk)
