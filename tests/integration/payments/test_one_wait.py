"""The wait of a paid consultation for its row: when it ends, who ends it, and what does not wait at all."""

import uuid
from datetime import UTC, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from bridge.pgmq import pgmq_queue
from payments import tasks
from payments.checking.by_staff import clear_attention
from payments.checking.held import give_held
from payments.checking.sync import sync_payment
from payments.models import Appointment, Checkout, PackagePurchase, Payment
from payments.queue import QUEUE
from payments.refunds.request import request_refund
from payments.states import Attention, Door
from payments.tasks import process
from sandbox.frontend import Step
from sandbox.yookassa import YooKassaServer
from tests.support.bookings import PAID, WAIT, Buyer, Clock, buyer, let_wait_pass
from tests.support.checkouts import flag
from tests.support.payment_calls import PRICE, Catalogue, Customer, tomorrow

pytestmark = pytest.mark.usefixtures("wait_as_in_production")

LATE = 59


def test_each_verify_begins_the_wait_anew_but_not_for_ever(anna: Buyer, clock: Clock) -> None:
    paid_at = timezone.now()
    anna.play(Step.ROW, Step.CREATE, Step.PAID, Step.NOTIFIED)
    clock.tick(WAIT - 5)
    tasks.give_held()
    anna.play(Step.VERIFY)
    clock.tick(LATE)
    tasks.give_held()
    assert anna.rows == []
    while timezone.now() - paid_at < 4 * timedelta(seconds=WAIT):
        anna.play(Step.VERIFY)
        clock.tick(20)
        tasks.give_held()
    anna.only_booking()


def test_a_worker_gives_what_waits_without_beat_and_without_the_provider(
    anna: Buyer, yookassa: YooKassaServer, clock: Clock
) -> None:
    anna.play(*PAID)
    [message] = _messages_to_give()
    yookassa.fail("500", times=10)
    clock.tick(WAIT + 1)
    process.run(message)
    assert anna.only_booking().scheduled_at == anna.start


def test_a_consultation_that_begins_at_once_does_not_wait(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    soon = timezone.now().astimezone(UTC).replace(second=0, microsecond=0) + timedelta(seconds=60)
    one = buyer(catalogue, yookassa, soon).play(*PAID)
    one.only_booking()


def test_a_time_that_has_passed_when_the_money_comes_asks_for_a_person_unless_the_row_is_there(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    start = timezone.now().astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=10)
    late, booked = (buyer(catalogue, yookassa, start + timedelta(minutes=more)) for more in (0, 1))
    late.play(Step.CREATE)
    booked.play(Step.BOOK, Step.CREATE)
    clock.tick(timedelta(minutes=15))
    for one in (late, booked):
        one.play(Step.PAID, Step.NOTIFIED)
    assert late.checkout.attention == Attention.SLOT_PASSED
    booked.only_booking()


def test_money_that_was_noticed_late_is_given_at_once(anna: Buyer, clock: Clock) -> None:
    anna.play(Step.ROW, Step.CREATE, Step.PAID)
    clock.tick(timedelta(minutes=20))
    sync_payment(anna.checkout.pk, door=Door.RECONCILIATION)
    anna.only_booking()


def test_a_refund_before_the_row_came_leaves_the_place_to_others(anna: Buyer, clock: Clock) -> None:
    anna.play(*PAID)
    request_refund(payment_id=anna.checkout.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
    sync_payment(anna.checkout.pk, door=Door.QUEUE)
    assert (anna.checkout.held_at, anna.checkout.give_at) == (None, None)
    let_wait_pass(clock)
    assert anna.rows == []


def test_staff_who_gave_it_otherwise_are_not_overtaken_by_a_later_check(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    start = tomorrow()
    igor = buyer(catalogue, yookassa, start).play(Step.BOOK)
    stranger = igor.rows[0]
    Appointment.objects.filter(pk=stranger.pk).update(status="cancelled")
    anna = buyer(catalogue, yookassa, start).play(Step.CREATE, Step.PAID)
    Appointment.objects.filter(pk=stranger.pk).update(status="scheduled")
    anna.play(Step.NOTIFIED)
    assert anna.checkout.attention == Attention.SLOT_TAKEN
    clear_attention(payment_id=anna.checkout.pk, actor_id=1, note="записали на другое время")
    Appointment.objects.filter(pk=stranger.pk).update(status="cancelled")
    sync_payment(anna.checkout.pk, door=Door.RECONCILIATION)
    let_wait_pass(clock)
    assert anna.rows == []


class TestWhatWaits:
    def test_is_not_given_while_the_whole_sum_is_on_its_way_back(
        self, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
    ) -> None:
        anna = buyer(catalogue, yookassa).play(*PAID)
        request_refund(payment_id=anna.checkout.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
        let_wait_pass(clock)
        assert anna.rows == []
        sync_payment(anna.checkout.pk, door=Door.QUEUE)
        assert (anna.checkout.held_at, anna.rows) == (None, [])

    def test_is_shown_as_deleted_when_its_row_is(
        self, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
    ) -> None:
        anna = buyer(catalogue, yookassa).play(*PAID)
        Payment.objects.filter(pk=anna.checkout.pk).delete()
        clock.tick(WAIT + 1)
        give_held(anna.checkout.pk, door=Door.QUEUE)
        assert anna.checkout.attention == Attention.ROW_DELETED
        assert anna.rows == []

    def test_is_given_before_it_begins_though_the_page_asks_again_and_again(
        self, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
    ) -> None:
        start = timezone.now().astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=3)
        anna = buyer(catalogue, yookassa, start).play(Step.CREATE, Step.PAID)
        for _ in range(5):
            anna.play(Step.VERIFY)
            clock.tick(60)
            tasks.give_held()
        anna.only_booking()


class TestOtherOrders:
    def test_a_package_does_not_wait(self, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
        customer = Customer()
        started = customer.create(catalogue.bundle())
        yookassa.succeed(_external_id(started.body["payment_id"]))
        assert customer.verify(started.body["payment_id"]).body["status"] == "completed"
        assert PackagePurchase.objects.get().payment_id is not None

    def test_a_booked_consultation_does_not_wait(self, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
        customer = Customer()
        booked = customer.books(catalogue.consultation, tomorrow() + timedelta(seconds=11))
        started = customer.create(catalogue.booked(booked))
        yookassa.succeed(_external_id(started.body["payment_id"]))
        customer.verify(started.body["payment_id"])
        booked.refresh_from_db()
        assert str(booked.payment_id) == started.body["payment_id"]

    def test_a_page_that_names_the_payment_itself_gets_no_second_booking(
        self, anna: Buyer, catalogue: Catalogue, clock: Clock
    ) -> None:
        anna.play(*PAID)
        for _ in range(2):
            anna.visit.tab.write(
                "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, payment_id)"
                " VALUES (%s, %s, %s, %s)",
                *(str(anna.customer.id), str(catalogue.consultation.pk), anna.start, str(anna.checkout.pk)),
            )
        let_wait_pass(clock)
        anna.only_booking()

    def test_the_row_of_a_page_whose_payment_the_old_system_started_is_answered_by_that_payment(
        self, anna: Buyer, yookassa: YooKassaServer, clock: Clock
    ) -> None:
        # That one made a row of its own beside the page's.
        anna.play(Step.ROW)
        theirs = Payment.objects.create(user=anna.customer.user, amount=PRICE, metadata=anna.visit.order.metadata)
        created = yookassa.shop.create_payment(
            {
                "amount": {"value": "4500.00", "currency": "RUB"},
                "capture": True,
                "confirmation": {"type": "embedded"},
                "metadata": {"payment_id": str(theirs.pk)},
            }
        )
        Payment.objects.filter(pk=theirs.pk).update(external_payment_id=created["id"], status="processing")
        anna.visit.payments.append(str(theirs.pk))
        assert anna.play(Step.VERIFY).visit.answers[-1].body["status"] == "processing"
        yookassa.succeed(created["id"])
        assert anna.play(Step.VERIFY).visit.answers[-1].body["status"] == "completed"
        anna.play(Step.BOOK)
        let_wait_pass(clock)
        assert [str(anna.only_booking().pk)] == anna.visit.bookings

    def test_a_mark_that_staff_took_away_ends_the_trying(self, anna: Buyer, clock: Clock) -> None:
        anna.play(*PAID)
        checkout = anna.checkout
        flag(checkout, Attention.NOT_FULFILLED, "a trigger refused it")
        clear_attention(payment_id=checkout.pk, actor_id=1, note="записали сами")
        let_wait_pass(clock)
        assert anna.rows == []


def _external_id(payment_id: str) -> str:
    return str(Checkout.objects.get(pk=uuid.UUID(payment_id)).external_id)


def _messages_to_give() -> list[Any]:
    """The messages that are delayed until what waits is due."""
    queue = pgmq_queue(QUEUE)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE pgmq.q_{QUEUE} SET vt = now() WHERE message ? 'give' AND vt > now() + interval '30 seconds'"
        )
    deliveries = queue.read(limit=10, lease=60)
    found = [queue.claim(one.token, lease=60, attempts=1, trace_id="0") for one in deliveries]
    return [message for message in found if message is not None and message.body.get("give") is True]
