"""Refunds that are asked for or answered a second time, late, or while nothing is answered: none is made or lost."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import Settings

from payments.checking.apply import apply_observation
from payments.checking.ask import Observation
from payments.checking.sync import send_and_ask, sync_payment
from payments.errors import NoAmount, NothingToRefund, RefundOfAnother
from payments.ledger.marks import open_marks
from payments.models import Checkout, PaymentEvent, Refund
from payments.provider import provider
from payments.refunds.request import goes_back, remaining_amount, request_refund
from payments.states import Door, EventKind, OrderKind, ProviderStatus, RefundStatus
from payments.yookassa.errors import Rejected, Unavailable
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_checkout, purge_checks, queued_checks
from tests.support.payment_calls import Catalogue
from tests.support.payment_deliveries import start_payment
from tests.support.report_deliveries import queued_mails


@pytest.fixture
def paid(shop: YooKassaServer, catalogue: Catalogue) -> Checkout:
    return pay(shop, catalogue)


def pay(shop: YooKassaServer, catalogue: Catalogue) -> Checkout:
    checkout = start_payment(kind=OrderKind.PACKAGE, package_id=catalogue.package.pk)
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    purge_checks()
    checkout.refresh_from_db()
    return checkout


def ask(checkout: Checkout, amount: str | None, refund_id: uuid.UUID | None = None) -> Refund:
    return request_refund(
        payment_id=checkout.pk,
        amount=None if amount is None else Decimal(amount),
        reason="",
        actor_id=None,
        door=Door.STAFF,
        refund_id=refund_id,
        without_receipt=True,
    )


def changes(refund: Refund) -> list[str]:
    """The states that the timeline tells of a refund."""
    told = PaymentEvent.objects.filter(kind=EventKind.REFUND_CHANGED, data__refund=str(refund.pk)).order_by("pk")
    return [event.data["status"] for event in told]


def test_a_request_that_was_made_already_is_not_made_for_another_payment_or_amount(
    shop: YooKassaServer, paid: Checkout, catalogue: Catalogue
) -> None:
    other, key = pay(shop, catalogue), uuid.uuid4()
    made = ask(paid, "100.00", key)
    for checkout, amount in ((other, "100.00"), (other, None), (paid, "100.01"), (paid, "4500.00")):
        with pytest.raises(RefundOfAnother):
            ask(checkout, amount, key)
    assert ask(paid, "100.00", key) == ask(paid, None, key) == made
    assert Refund.objects.get().amount == Decimal("100.00")
    assert queued_checks() == [{"payment_id": str(paid.pk), "action": "refund"}]


def test_a_refusal_that_comes_after_the_refund_was_made_changes_nothing(shop: YooKassaServer, paid: Checkout) -> None:
    refund = ask(paid, "100.00")
    sync_payment(paid.pk, door=Door.QUEUE)
    seen, mails = send_and_ask(paid.pk), queued_mails()
    late = Rejected(400, "invalid_request", "amount", "more than what can be refunded")
    apply_observation(Observation(paid.pk, seen.payment, (), {refund.pk: late}), door=Door.QUEUE)
    refund.refresh_from_db()
    assert (refund.status, refund.error) == (RefundStatus.SUCCEEDED, "")
    assert changes(refund) == ["succeeded"]
    assert (open_marks(paid.pk), queued_mails()) == ([], mails)


def test_a_refusal_of_another_payments_refund_leaves_that_to_be_sent(
    shop: YooKassaServer, paid: Checkout, catalogue: Catalogue
) -> None:
    other = pay(shop, catalogue)
    theirs, seen = ask(other, "100.00"), send_and_ask(paid.pk)
    assert shop.shop.list_refunds({})["items"] == []
    refusal = Rejected(400, "invalid_request", "amount", "more than what can be refunded")
    apply_observation(Observation(paid.pk, seen.payment, (), {theirs.pk: refusal}), door=Door.QUEUE)
    theirs.refresh_from_db()
    assert (theirs.status, changes(theirs), open_marks(paid.pk)) == (RefundStatus.REQUESTED, [], [])


def test_a_wrong_key_of_ours_is_no_refusal_of_the_refund(
    shop: YooKassaServer, paid: Checkout, settings: Settings
) -> None:
    refund = ask(paid, "100.00")
    settings.YUKASSA_SECRET_KEY, right = "test_wrong", settings.YUKASSA_SECRET_KEY
    with pytest.raises(Rejected):
        sync_payment(paid.pk, door=Door.QUEUE)
    refund.refresh_from_db()
    assert (refund.status, refund.error, changes(refund), open_marks(paid.pk)) == ("requested", "", [], [])
    settings.YUKASSA_SECRET_KEY = right
    sync_payment(paid.pk, door=Door.QUEUE)
    assert changes(refund) == ["succeeded"]


def test_a_refund_that_was_made_by_a_lost_attempt_was_never_refused(shop: YooKassaServer, paid: Checkout) -> None:
    refund = ask(paid, "100.00")
    provider().create_refund(refund.request_body or {}, key=str(refund.pk))
    Refund.objects.update(created_at=timezone.now() - timedelta(days=2))
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    assert changes(refund) == ["succeeded"]
    assert len(shop.shop.list_refunds({})["items"]) == 1


def test_what_is_over_is_not_sent_again(shop: YooKassaServer, paid: Checkout) -> None:
    ask(paid, "100.00")
    sync_payment(paid.pk, door=Door.QUEUE)
    sent = [request for request in shop.requests if request.method == "POST"]
    for _ in range(2):
        sync_payment(paid.pk, door=Door.RECONCILIATION)
    assert [request for request in shop.requests if request.method == "POST"] == sent


def test_what_others_got_back_or_what_was_called_off_leaves_what_remains(paid: Checkout) -> None:
    other = make_checkout(ProviderStatus.SUCCEEDED)
    ask(other, "4000.00")
    called_off = ask(paid, "1000.00")
    assert (remaining_amount(paid), remaining_amount(other)) == (Decimal("3500.00"), Decimal("500.00"))
    Refund.objects.filter(pk=called_off.pk).update(status=RefundStatus.REJECTED)
    assert remaining_amount(paid) == Decimal("4500.00")
    ask(paid, "4499.99")
    assert not goes_back(paid)
    ask(paid, None)
    assert goes_back(paid)
    for amount in (None, "0.01"):
        with pytest.raises(NothingToRefund):
            ask(paid, amount)


@pytest.mark.parametrize("amount", ["0.00", "-1.00", "0.005", "10.015"])
def test_no_money_and_parts_of_a_kopeck_are_no_amount(paid: Checkout, amount: str) -> None:
    with pytest.raises(NoAmount):
        ask(paid, amount)
    assert ask(paid, "0.01").amount == Decimal("0.01")


def test_a_request_is_told_in_the_timeline_before_anything_is_sent(paid: Checkout) -> None:
    refund = ask(paid, "100.00", uuid.uuid4())
    told = PaymentEvent.objects.get(kind=EventKind.REFUND_REQUESTED)
    assert (told.payment_id, told.data) == (paid.pk, {"refund": str(refund.pk), "amount": "100.00"})
    for count, key in enumerate((None, uuid.uuid4()), start=2):
        assert ask(paid, "100.00", key).pk != refund.pk
        assert Refund.objects.count() == count


def test_a_refund_without_an_answer_keeps_nobody_from_theirs_and_is_sent_again(
    shop: YooKassaServer, paid: Checkout
) -> None:
    lost, made = ask(paid, "100.00"), ask(paid, "200.00")
    purge_checks()
    shop.fail("500", method="POST")
    sync_payment(paid.pk, door=Door.QUEUE)
    assert (changes(lost), changes(made)) == ([], ["succeeded"])
    assert queued_checks() == [{"payment_id": str(paid.pk), "action": "refund"}]
    sync_payment(paid.pk, door=Door.QUEUE)
    assert changes(lost) == ["succeeded"]


def test_a_silent_yookassa_is_asked_for_two_refunds_and_not_for_all(shop: YooKassaServer, paid: Checkout) -> None:
    for _ in range(4):
        ask(paid, "100.00")
    shop.fail("500", method="POST", times=100)
    asked = len(shop.requests)
    with pytest.raises(Unavailable):
        sync_payment(paid.pk, door=Door.QUEUE)
    assert len(shop.requests) - asked == 2
    assert set(Refund.objects.values_list("status", flat=True)) == {RefundStatus.REQUESTED}
