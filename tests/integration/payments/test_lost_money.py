"""Money at YooKassa for an order of ours: what it leaves when it is taken in, and when it is one payment too many."""

import uuid
from decimal import Decimal

import pytest

from payments.checking.lost_money import note_second, take_in
from payments.ledger.marks import open_marks
from payments.models import Checkout, PaymentEvent
from payments.provider import provider
from payments.states import Attention, Door, EventKind, ProviderStatus
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import flag, make_checkout
from tests.support.payment_deliveries import create_at_yookassa


def test_money_is_taken_in_once_with_a_line_that_says_where_from(shop: YooKassaServer) -> None:
    named, payer = uuid.uuid4(), uuid.uuid4()
    theirs = create_at_yookassa({"payment_id": str(named), "user_id": str(payer)})
    assert [take_in(theirs, named) for _ in range(2)] == [True, False]
    checkout = Checkout.objects.get()
    assert (checkout.pk, checkout.user_id, checkout.external_id) == (named, payer, theirs.id)
    line = PaymentEvent.objects.get(payment_id=named)
    assert (line.kind, line.door) == (EventKind.PROVIDER_CREATED, Door.RECONCILIATION)
    assert line.data == {"external_id": theirs.id, "amount": "4500.00"}


def test_a_payment_that_is_there_is_not_taken_in(shop: YooKassaServer) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    theirs = create_at_yookassa({"payment_id": str(checkout.pk)}, Decimal(1))
    assert not take_in(theirs, checkout.pk)
    checkout.refresh_from_db()
    assert (checkout.amount, checkout.external_id != theirs.id) == (Decimal(4500), True)
    assert not PaymentEvent.objects.exists()


@pytest.mark.parametrize("reason", sorted(set(Attention) - {Attention.PAID_TWICE}))
def test_another_mark_that_names_a_payment_does_not_settle_that_the_order_was_paid_twice(
    reason: Attention, shop: YooKassaServer
) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    second, third = (create_at_yookassa({"payment_id": str(checkout.pk)}) for _ in range(2))
    shop.succeed(second.id)
    assert note_second(provider().get_payment(second.id), checkout.pk, holds_money=True)
    flag(checkout, reason, f"the id is {third.id}, not {checkout.external_id}")
    assert not note_second(third, checkout.pk, holds_money=False)
    assert Attention.PAID_TWICE in [mark.reason for mark in open_marks(checkout.pk)]
    assert not note_second(second, checkout.pk, holds_money=False)
    assert Attention.PAID_TWICE not in [mark.reason for mark in open_marks(checkout.pk)]
