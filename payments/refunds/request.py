"""Asks for money back, under the payment's lock. Nothing is sent here: a worker does that."""

import uuid
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from payments.errors import MoreThanRemains, NoAmount, NothingToRefund, NotPaid, ReceiptImpossible, RefundOfAnother
from payments.ledger.book import Book, open_book
from payments.models import Checkout, Refund
from payments.queue import queue_check
from payments.receipts import needs_receipt, refund_receipt
from payments.states import HOLDING_MONEY, Attention, Door, EventKind, ProviderStatus

CENT = Decimal("0.01")
# What a refund is called at YooKassa, before our id of it.
DESCRIPTION = "Возврат "


def remaining_amount(checkout: Checkout) -> Decimal:
    """What can still be refunded: paid, less what went back and what is on its way. Exact only under the lock."""
    if checkout.provider_status != ProviderStatus.SUCCEEDED:
        return Decimal(0)
    held = Refund.objects.filter(payment_id=checkout.pk, status__in=HOLDING_MONEY).aggregate(sum=Sum("amount"))["sum"]
    return _remains(checkout, held or Decimal(0))


def goes_back(checkout: Checkout) -> bool:
    """Whether all that a locked payment brought went back, or is on its way: then nothing is given for it."""
    return remaining_amount(checkout) <= 0


def all_goes_back(book: Book) -> bool:
    """The same of a payment in hand that is paid."""
    held = sum((one.amount for one in book.refunds if one.status in HOLDING_MONEY), Decimal(0))
    return _remains(book.checkout, held) <= 0


def _remains(checkout: Checkout, held: Decimal) -> Decimal:
    # The provider's own count may be ahead of the rows: a refund made in its office is found by the next check.
    return checkout.amount - max(held, checkout.refunded_amount)


def request_refund(
    *,
    payment_id: uuid.UUID,
    amount: Decimal | None,
    reason: str,
    actor_id: int | None,
    door: Door,
    refund_id: uuid.UUID | None = None,
    without_receipt: bool = False,
) -> Refund:
    """Note a refund and queue it; `amount` None means all that remains. Nothing is sent to the provider here.

    With a `refund_id` it happens once: the same request again returns the refund that the first one made.
    `without_receipt` says that a person is going to make the receipt, where we cannot. Raises `RefundRefused` for what
    cannot be refunded, its `ReceiptImpossible` for what would go without a receipt, and `PaymentMissing`.
    """
    with open_book(payment_id, door=door, actor=actor_id) as book:
        checkout = book.checkout
        made = None if refund_id is None else Refund.objects.filter(pk=refund_id).first()
        if made is not None:
            if made.payment_id != payment_id or amount not in (None, made.amount):
                raise RefundOfAnother
            return made
        if checkout.provider_status != ProviderStatus.SUCCEEDED or checkout.external_id is None:
            raise NotPaid
        remaining = remaining_amount(checkout)
        wanted = remaining if amount is None else amount
        if remaining <= 0:
            raise NothingToRefund
        if wanted < CENT or wanted != wanted.quantize(CENT):
            raise NoAmount
        # Every amount with its kopecks: it goes into the request, the receipt and the timeline as text.
        wanted = wanted.quantize(CENT)
        if wanted > remaining:
            raise MoreThanRemains(remaining=remaining, currency=checkout.currency, wanted=wanted)
        refund = Refund(
            id=refund_id or uuid.uuid4(),
            payment_id=payment_id,
            amount=wanted,
            currency=checkout.currency,
            reason=reason,
            requested_by_id=actor_id,
        )
        refund.request_body = _request_body(checkout, refund)
        by_hand = needs_receipt(checkout, refund) and "receipt" not in refund.request_body
        if by_hand and not without_receipt:
            raise ReceiptImpossible
        refund.save(force_insert=True)
        book.note(EventKind.REFUND_REQUESTED, refund=str(refund.pk), amount=str(wanted))
        if by_hand:
            note = f"the refund {refund.pk} of {wanted} goes out without a receipt"
            book.flag(Attention.REFUND_RECEIPT_MISSING, note)
        queue_check(payment_id, "refund")
        return refund


def _request_body(checkout: Checkout, refund: Refund) -> dict[str, Any]:
    """What is sent, and stored first. The description carries our id: by it a lost answer is found again."""
    amount = {"value": str(refund.amount), "currency": refund.currency}
    body: dict[str, Any] = {
        "payment_id": checkout.external_id,
        "amount": amount,
        "description": f"{DESCRIPTION}{refund.pk}",
    }
    receipt = refund_receipt(checkout, refund) if needs_receipt(checkout, refund) else None
    return body if receipt is None else body | {"receipt": receipt}
