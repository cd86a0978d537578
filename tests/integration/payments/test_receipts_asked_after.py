"""Which receipts YooKassa is asked about again: each by its payment, how it stands, and how old it is."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from payments.ledger.book import open_book
from payments.ledger.marks import open_marks
from payments.ledger.refunds import refunds_of
from payments.models import Checkout, Refund, User
from payments.receipts import (
    can_send_receipt,
    has_unsettled_receipt,
    judge_receipts,
    refund_receipt,
    wants_refund_receipts,
)
from payments.states import Attention, Door, ProviderStatus, RefundStatus
from tests.support.checkouts import flag, make_checkout, settle
from tests.support.yookassa_shop import receipt

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def paid() -> Checkout:
    """Paid, and its own receipt is registered."""
    return make_checkout(ProviderStatus.SUCCEEDED, receipt_registration="succeeded")


@pytest.fixture
def other() -> Checkout:
    return make_checkout(ProviderStatus.SUCCEEDED, receipt_registration="succeeded")


def refund(checkout: Checkout, registration: str, status: RefundStatus = RefundStatus.SUCCEEDED) -> Refund:
    return Refund.objects.create(
        payment_id=checkout.pk,
        external_id=str(uuid.uuid4()),
        amount=Decimal("10.00"),
        status=status,
        receipt_registration=registration,
    )


def asked(checkout: Checkout) -> tuple[bool, bool]:
    """Whether it is asked again, and whether for the refunds as well."""
    refunds = refunds_of(checkout.pk)
    return has_unsettled_receipt(checkout, refunds), wants_refund_receipts(checkout, refunds)


def test_the_receipt_of_a_refund_is_asked_for_until_it_is_registered(paid: Checkout, other: Checkout) -> None:
    assert asked(paid) == (False, False)
    refund(other, "pending")
    refund(paid, "succeeded")
    # Nobody wants a receipt for what did not go back.
    refund(paid, "pending", RefundStatus.CANCELED)
    assert asked(paid) == (False, False)
    assert asked(other) == (True, True)
    refund(paid, "pending")
    assert asked(paid) == (True, True)


def test_a_receipt_of_which_nothing_is_said_is_waited_for_no_longer_than_three_days(
    paid: Checkout, other: Checkout
) -> None:
    refund(other, "")
    refund(paid, "", RefundStatus.PENDING)
    assert asked(paid) == (False, False)
    late = refund(paid, "")
    assert asked(paid) == (True, True)
    Refund.objects.filter(pk=late.pk).update(created_at=timezone.now() - timedelta(days=3, minutes=1))
    # By itself nothing is asked any more; where the payment is asked about, the refunds are too.
    assert asked(paid) == (False, True)
    # A shop that has its receipts elsewhere is told nothing of them by YooKassa.
    other.receipt_registration = ""
    assert asked(other) == (False, False)


def test_a_person_who_looks_after_a_receipt_is_kept_up_to_date(paid: Checkout, other: Checkout) -> None:
    flag(paid, Attention.MISMATCH, "something else")
    flag(other, Attention.REFUND_RECEIPT_FAILED, "was not registered")
    assert asked(paid) == (False, False)
    assert asked(other) == (True, True)
    flag(paid, Attention.RECEIPT_FAILED, "was not registered")
    assert asked(paid) == (True, False)
    for checkout in (paid, other):
        settle(checkout, Attention.RECEIPT_FAILED)
        settle(checkout, Attention.REFUND_RECEIPT_FAILED)
        assert asked(checkout) == (False, False)


@pytest.mark.parametrize("status", [ProviderStatus.CANCELED, ProviderStatus.WAITING_FOR_CAPTURE])
def test_what_is_not_paid_has_no_receipt_to_wait_for(status: ProviderStatus) -> None:
    assert not has_unsettled_receipt(make_checkout(status, receipt_registration="pending"), [])
    assert has_unsettled_receipt(make_checkout(ProviderStatus.SUCCEEDED, receipt_registration="pending"), [])


def test_a_receipt_that_waits_since_nobody_knows_when_is_no_case_for_a_person_yet() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED, receipt_registration="pending")
    now = timezone.now()
    for captured_at, reasons in (
        (None, []),
        (now - timedelta(days=2, hours=23), []),
        (now - timedelta(days=3, minutes=1), [Attention.RECEIPT_FAILED]),
        (now, []),
    ):
        Checkout.objects.filter(pk=checkout.pk).update(captured_at=captured_at)
        with open_book(checkout.pk, door=Door.RECONCILIATION) as book:
            judge_receipts(book, now=now)
        assert [mark.reason for mark in open_marks(checkout.pk)] == reasons


def test_the_receipt_that_is_made_anew_goes_to_the_payer_of_this_very_payment() -> None:
    addresses = ("anna@example.org", "boris@example.org")
    checkouts = [make_checkout(ProviderStatus.SUCCEEDED, request_body=None) for _ in addresses]
    for checkout, address in zip(checkouts, addresses, strict=True):
        User.objects.filter(pk=checkout.user_id).update(email=address)
    made = [refund_receipt(checkout, Refund(amount=Decimal("10.00"), currency="RUB")) for checkout in checkouts]
    assert [one["customer"] for one in made if one is not None] == [{"email": address} for address in addresses]


def test_the_receipt_of_a_part_is_that_of_the_payment_with_its_own_amount() -> None:
    sent = receipt("4500.00")
    checkout = make_checkout(ProviderStatus.SUCCEEDED, request_body={"receipt": sent})
    User.objects.filter(pk=checkout.user_id).update(email="another@example.org")
    made = refund_receipt(checkout, Refund(amount=Decimal("10.00"), currency="RUB"))
    assert made == sent | {
        "items": [item | {"amount": {"value": "10.00", "currency": "RUB"}} for item in sent["items"]]
    }
    # What was sent with the payment stays what it was.
    assert (checkout.request_body or {})["receipt"] == receipt("4500.00")


def test_no_receipt_can_be_sent_to_nobody() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED, request_body=None)
    assert can_send_receipt(checkout)
    User.objects.filter(pk=checkout.user_id).update(email=None, phone=None)
    assert not can_send_receipt(checkout)
    checkout.user_id = uuid.uuid4()
    assert not can_send_receipt(checkout)
