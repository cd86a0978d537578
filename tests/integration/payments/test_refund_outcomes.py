"""What YooKassa's word about a refund leaves in our books: its row, its day, the timeline, the mark, the mail."""

import uuid
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from payments.ledger.book import open_book
from payments.ledger.marks import open_marks
from payments.ledger.refunds import refunds_of
from payments.models import Checkout, PaymentEvent, Refund, User
from payments.refunds.outcomes import are_made_good, note_refund, note_refused
from payments.refunds.request import remaining_amount
from payments.states import Attention, Door, EventKind, ProviderStatus, RefundStatus
from payments.yookassa.errors import Rejected
from payments.yookassa.objects import ProviderRefund
from tests.support.checkouts import make_checkout
from tests.support.report_deliveries import queued_mails

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def paid() -> Checkout:
    return make_checkout(ProviderStatus.SUCCEEDED)


@pytest.fixture
def seen() -> ProviderRefund:
    """A refund that was made in YooKassa's own office, it does not say when."""
    return ProviderRefund(
        id="2f-refund",
        payment_id="2f-payment",
        status="succeeded",
        amount=Decimal("100.00"),
        currency="RUB",
        created_at=None,
        description="by hand",
        cancellation_party="",
        cancellation_reason="",
        receipt_registration="",
    )


def noted(checkout: Checkout, seen: ProviderRefund, **otherwise: Any) -> Refund:
    with open_book(checkout.pk, door=Door.RECONCILIATION) as book:
        made = note_refund(book, replace(seen, **otherwise))
    return Refund.objects.get(pk=made.pk)


def asked_for(checkout: Checkout, status: RefundStatus = RefundStatus.REQUESTED, amount: str = "100.00") -> Refund:
    known = None if status in (RefundStatus.REQUESTED, RefundStatus.REJECTED) else str(uuid.uuid4())
    return Refund.objects.create(
        payment_id=checkout.pk, amount=Decimal(amount), status=status, external_id=known, request_body={}
    )


def told(refund: Refund, kind: EventKind = EventKind.REFUND_CHANGED) -> list[str]:
    """The states that the timeline tells of a refund, or of its receipt."""
    events = PaymentEvent.objects.filter(kind=kind, data__refund=str(refund.pk)).order_by("pk")
    return [event.data["status" if kind == EventKind.REFUND_CHANGED else "state"] for event in events]


def mailed_to() -> list[tuple[str, str]]:
    return [(mail["to"], mail["variables"]["amount"]) for mail in queued_mails()]


def test_a_refund_of_yookassas_office_is_booked_and_told_once(paid: Checkout, seen: ProviderRefund) -> None:
    for _ in range(2):
        refund = noted(paid, seen)
    assert (refund.payment_id, refund.amount, refund.external_id) == (paid.pk, Decimal("100.00"), "2f-refund")
    assert (refund.status, told(refund), open_marks(paid.pk)) == ("succeeded", ["succeeded"], [])
    assert mailed_to() == [("parent@example.org", "100.00")]


def test_of_two_requests_for_one_amount_the_one_is_meant_that_the_refund_names(
    paid: Checkout, seen: ProviderRefund
) -> None:
    requests = [asked_for(paid) for _ in range(2)]
    named = f"Возврат {requests[1].pk}"
    assert noted(paid, seen, description=named) == requests[1]
    assert noted(paid, seen, id="2f-nobodys", description=f"Возврат {uuid.uuid4()}") not in requests
    requests[0].refresh_from_db()
    assert (requests[0].status, requests[0].external_id) == (RefundStatus.REQUESTED, None)
    # What was made already is not made by another one of its name.
    assert noted(paid, seen, id="2f-second", description=named) not in requests
    requests[1].refresh_from_db()
    assert requests[1].external_id == seen.id


def test_the_mail_goes_to_the_payer_of_this_very_payment(seen: ProviderRefund) -> None:
    addresses = ("anna@example.org", "boris@example.org")
    for address in addresses:
        checkout = make_checkout(ProviderStatus.SUCCEEDED)
        User.objects.filter(pk=checkout.user_id).update(email=address)
        noted(checkout, seen, id=f"2f-{address}")
    assert [to for to, _ in mailed_to()] == list(addresses)


def test_who_has_no_address_gets_no_mail_and_the_refund_is_booked(paid: Checkout, seen: ProviderRefund) -> None:
    User.objects.filter(pk=paid.user_id).update(email="")
    assert noted(paid, seen).status == RefundStatus.SUCCEEDED
    assert mailed_to() == []


def test_nobody_is_mailed_about_a_refund_from_before_the_payment_was_taken_over(
    paid: Checkout, seen: ProviderRefund
) -> None:
    noted(paid, seen, id="2f-old", created_at=paid.created_at - timedelta(seconds=1))
    assert mailed_to() == []
    noted(paid, seen, id="2f-at-once", created_at=paid.created_at, amount=Decimal("1.00"))
    noted(paid, seen, id="2f-undated", created_at=None, amount=Decimal("2.00"))
    assert [amount for _, amount in mailed_to()] == ["1.00", "2.00"]


def test_a_refund_counts_on_the_day_it_was_made_and_never_on_one_to_come(paid: Checkout, seen: ProviderRefund) -> None:
    now = timezone.now()
    made_at = now - timedelta(days=2)
    refund = noted(paid, seen, id="1", created_at=made_at)
    assert (refund.finished_at, refund.created_at) == (made_at, made_at)
    for number, created_at in enumerate((now + timedelta(days=2), None)):
        finished_at = noted(paid, seen, id=f"other-{number}", created_at=created_at).finished_at
        assert finished_at is not None
        assert now <= finished_at <= timezone.now()
    assert noted(paid, seen, id="2", status="pending", created_at=made_at).finished_at is None
    called_off = noted(paid, seen, id="3", status="canceled", created_at=made_at).finished_at
    assert called_off is not None
    assert called_off >= now


def test_one_that_the_bank_called_off_needs_a_person_and_mails_nobody(paid: Checkout, seen: ProviderRefund) -> None:
    refund = noted(paid, seen, status="canceled", cancellation_party="bank", cancellation_reason="no_money")
    assert (refund.cancellation_party, refund.cancellation_reason, told(refund)) == ("bank", "no_money", ["canceled"])
    (mark,) = open_marks(paid.pk)
    assert mark.reason == Attention.REFUND_FAILED
    assert mark.note.endswith("did not go through: no_money")
    assert mailed_to() == []


def test_a_state_of_tomorrow_is_one_that_is_still_on_its_way(paid: Checkout, seen: ProviderRefund) -> None:
    assert noted(paid, seen, status="held_by_a_robot").status == RefundStatus.PENDING
    assert noted(paid, seen).status == RefundStatus.SUCCEEDED
    # And what is over does not begin again.
    assert noted(paid, seen, status="held_by_a_robot").status == RefundStatus.SUCCEEDED


def test_the_receipt_of_a_refund_is_told_when_it_changes_and_is_not_forgotten(
    paid: Checkout, seen: ProviderRefund
) -> None:
    for state in ("pending", "pending", "", "succeeded", "succeeded"):
        refund = noted(paid, seen, receipt_registration=state)
        assert refund.receipt_registration == (state or "pending")
    assert told(refund, EventKind.RECEIPT_CHANGED) == ["pending", "succeeded"]
    assert told(refund) == ["succeeded"]


def test_what_has_not_gone_back_has_no_receipt_to_tell_of(paid: Checkout, seen: ProviderRefund) -> None:
    refund = noted(paid, seen, status="pending", receipt_registration="pending")
    assert (refund.receipt_registration, told(refund, EventKind.RECEIPT_CHANGED)) == ("pending", [])


def test_a_refusal_frees_the_amount_says_why_and_is_told_once(paid: Checkout) -> None:
    refund = asked_for(paid)
    assert remaining_amount(paid) == Decimal("4400.00")
    for _ in range(2):
        with open_book(paid.pk, door=Door.QUEUE) as book:
            refused = Rejected(400, "invalid_request", "amount", "too much")
            note_refused(book, Refund.objects.get(pk=refund.pk), refused)
    refund.refresh_from_db()
    assert (refund.status, told(refund)) == (RefundStatus.REJECTED, ["rejected"])
    assert refund.finished_at is not None
    assert refund.error.endswith("too much")
    (mark,) = open_marks(paid.pk)
    assert mark.reason == Attention.REFUND_FAILED
    assert mark.note.endswith(f"did not go through: {refund.error}")
    assert remaining_amount(paid) == Decimal("4500.00")


def test_whoever_had_read_the_refunds_of_a_payment_reads_them_anew_after_one_was_noted(
    paid: Checkout, seen: ProviderRefund
) -> None:
    refused = asked_for(paid)
    with open_book(paid.pk, door=Door.QUEUE) as book:
        assert [one.status for one in book.refunds] == [RefundStatus.REQUESTED]
        note_refused(book, refused, Rejected(400, "invalid_request"))
        assert [one.status for one in book.refunds] == [RefundStatus.REJECTED]
        note_refund(book, seen)
        assert {one.status for one in book.refunds} == {RefundStatus.REJECTED, RefundStatus.SUCCEEDED}


def test_nothing_remains_of_what_was_not_paid() -> None:
    for status in (ProviderStatus.PENDING, ProviderStatus.CANCELED):
        assert remaining_amount(make_checkout(status)) == 0


@pytest.mark.parametrize("failed", [RefundStatus.CANCELED, RefundStatus.REJECTED])
def test_a_refund_that_failed_is_made_good_once_as_much_went_back_after_it(
    failed: RefundStatus, paid: Checkout
) -> None:
    asked_for(paid, RefundStatus.SUCCEEDED, "500.00")
    assert are_made_good(refunds_of(paid.pk))
    asked_for(paid, failed)
    # Neither what went back before, nor what is on its way, nor another's.
    asked_for(paid, RefundStatus.PENDING)
    asked_for(make_checkout(ProviderStatus.SUCCEEDED), RefundStatus.SUCCEEDED)
    assert not are_made_good(refunds_of(paid.pk))
    asked_for(paid, RefundStatus.SUCCEEDED, "99.99")
    assert not are_made_good(refunds_of(paid.pk))
    asked_for(paid, RefundStatus.SUCCEEDED, "0.01")
    assert are_made_good(refunds_of(paid.pk))


def test_what_failed_for_another_payment_needs_nothing_made_good_here(paid: Checkout) -> None:
    asked_for(make_checkout(ProviderStatus.SUCCEEDED), RefundStatus.REJECTED)
    assert are_made_good(refunds_of(paid.pk))
