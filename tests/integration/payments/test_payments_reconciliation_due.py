"""Checks that are queued because their time has come, and payments that are paid and brought nothing."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from bridge import holds
from bridge.batches import one_by_one
from payments import tasks
from payments.checking import due as due_checks
from payments.checking.by_staff import clear_attention
from payments.models import Checkout, Fulfilment, PaymentAttention, PaymentEvent
from payments.queue import QUEUE
from payments.refunds.request import request_refund
from payments.states import Attention, Door, EventKind, ProviderStatus
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import delete_row, make_checkout, purge_checks, queued_checks
from tests.support.databases import ClonedDatabase
from tests.support.payment_deliveries import start_payment, work_off


def checks_of(*checkouts: Checkout) -> list[dict[str, str]]:
    return [{"payment_id": str(checkout.pk), "action": "update_status"} for checkout in checkouts]


def make_due(checkout: Checkout, *, age: timedelta = timedelta(minutes=2)) -> None:
    now = timezone.now()
    Checkout.objects.filter(pk=checkout.pk).update(next_check_at=now - timedelta(seconds=1), created_at=now - age)


@pytest.mark.usefixtures("database")
def test_a_due_payment_is_queued_once_however_often_beat_looks() -> None:
    due, later, never = make_checkout(), make_checkout(), make_checkout(ProviderStatus.SUCCEEDED)
    make_due(due)
    Checkout.objects.filter(pk=later.pk).update(next_check_at=timezone.now() + timedelta(minutes=1))
    for _ in range(3):
        tasks.queue_due_checks()
    assert queued_checks() == checks_of(due)
    due.refresh_from_db()
    never.refresh_from_db()
    assert due.next_check_at is not None
    assert due.next_check_at > timezone.now() + timedelta(minutes=4)
    assert never.next_check_at is None


def test_an_abandoned_payment_is_checked_until_yookassa_gives_it_up(shop: YooKassaServer) -> None:
    checkout = start_payment()
    waits = []
    for minutes in (2, 5, 30):
        make_due(checkout, age=timedelta(minutes=minutes))
        tasks.queue_due_checks()
        assert work_off() == 1
        checkout.refresh_from_db()
        assert checkout.next_check_at is not None
        waits.append(checkout.next_check_at - timezone.now())
    assert waits == sorted(waits)
    shop.expire(str(checkout.external_id))
    make_due(checkout)
    tasks.queue_due_checks()
    work_off()
    checkout.refresh_from_db()
    assert (checkout.next_check_at, checkout.cancellation_reason) == (None, "expired_on_confirmation")


def test_a_payment_that_is_being_checked_right_now_is_left_to_that_check(database: ClonedDatabase) -> None:
    held, free = make_checkout(), make_checkout()
    make_due(held)
    make_due(free)
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT FROM payments_checkout WHERE payment_id = %s FOR UPDATE", [held.pk])
            tasks.queue_due_checks()
            assert queued_checks() == checks_of(free)
        other.rollback()
    finally:
        other.close()


def test_a_check_waits_while_yookassa_is_away_and_nobody_is_alarmed(shop: YooKassaServer) -> None:
    checkout = start_payment()
    make_due(checkout)
    tasks.queue_due_checks()
    shop.fail("500", times=1000)
    for _ in range(20):
        if not work_off():
            break
    checkout.refresh_from_db()
    assert checkout.attention == ""
    shop.faults.clear()
    shop.succeed(str(checkout.external_id))
    assert holds.lift(QUEUE, "service:yookassa")
    assert work_off() == 1
    checkout.refresh_from_db()
    assert checkout.provider_status == ProviderStatus.SUCCEEDED


def test_a_check_that_fails_while_yookassa_answers_all_others_comes_again(shop: YooKassaServer) -> None:
    checkout = start_payment()
    make_due(checkout)
    tasks.queue_due_checks()
    shop.fail("500", times=10, path="/payments")
    for _ in range(20):
        if not work_off():
            break
    checkout.refresh_from_db()
    assert checkout.attention == Attention.CHECK_FAILED
    assert checkout.next_check_at is not None
    assert checkout.next_check_at < timezone.now() + timedelta(minutes=6)
    shop.faults.clear()
    shop.succeed(str(checkout.external_id))
    make_due(checkout)
    tasks.queue_due_checks()
    work_off()
    checkout.refresh_from_db()
    assert checkout.provider_status == ProviderStatus.SUCCEEDED
    assert checkout.attention != Attention.CHECK_FAILED


# Paid, and nothing given.


def make_unfulfilled(**fields: Any) -> Checkout:
    captured_at = timezone.now() - timedelta(hours=1)
    return make_checkout(ProviderStatus.SUCCEEDED, **{"captured_at": captured_at, **fields})


@pytest.mark.usefixtures("database")
def test_a_paid_payment_that_brought_nothing_is_marked_once_and_checked_again() -> None:
    checkout = make_unfulfilled()
    for _ in range(2):
        tasks.flag_unfulfilled()
    checkout.refresh_from_db()
    assert checkout.attention == Attention.NOT_FULFILLED
    assert checkout.attention_since is not None
    assert queued_checks() == checks_of(checkout)
    assert PaymentEvent.objects.filter(kind=EventKind.ATTENTION, door="reconciliation").count() == 1


@pytest.mark.usefixtures("database")
def test_what_a_person_settled_by_hand_stays_settled() -> None:
    checkout = make_unfulfilled()
    tasks.flag_unfulfilled()
    clear_attention(payment_id=checkout.pk, actor_id=1, note="booked by phone")
    tasks.flag_unfulfilled()
    checkout.refresh_from_db()
    assert checkout.attention == ""
    assert len(queued_checks()) == 1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "fields",
    [
        {"captured_at": Now()},
        {"captured_at": Now() - timedelta(days=31)},
        {"refunded_amount": Decimal("4500.00")},
        {"attention": Attention.SLOT_TAKEN, "attention_since": Now()},
    ],
    ids=["just paid", "long ago", "refunded", "marked already"],
)
def test_other_paid_payments_are_left_alone(fields: dict[str, object]) -> None:
    checkout = make_unfulfilled(**fields)
    tasks.flag_unfulfilled()
    assert queued_checks() == []
    assert not PaymentEvent.objects.exists()
    before = checkout.attention
    checkout.refresh_from_db()
    assert checkout.attention == before


@pytest.mark.usefixtures("database")
def test_what_was_given_deleted_or_sent_back_after_it_was_listed_is_not_marked() -> None:
    given, deleted, going_back, suspect = (make_checkout(ProviderStatus.SUCCEEDED) for _ in range(4))
    Fulfilment.objects.create(payment_id=given.pk, kind="package", how="made", purchase_id=uuid.uuid4())
    request_refund(payment_id=going_back.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
    purge_checks()
    delete_row(deleted)
    listed = [one.pk for one in (given, deleted, going_back, suspect)]
    assert one_by_one(listed, due_checks._flag_unfulfilled, what="payment") == 1
    assert one_by_one(listed, due_checks._flag_deleted, what="payment") == 1
    assert dict(PaymentAttention.objects.values_list("payment_id", "reason")) == {
        deleted.pk: Attention.ROW_DELETED,
        suspect.pk: Attention.NOT_FULFILLED,
    }
    assert queued_checks() == checks_of(suspect)
