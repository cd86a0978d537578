"""Both rows of a payment once a door was opened: how it stands, when it is looked at next, what the site's row says."""

import logging
from typing import Any

from django.utils import timezone

from payments.checking.schedule import next_check_after, repeat_check_after
from payments.foreign import ForeignRefusal, foreign_write
from payments.ledger.book import Book
from payments.models import Checkout, Payment
from payments.receipts import has_unsettled_receipt
from payments.states import Attention, EventKind, PaymentStatus, ProviderStatus, RefundStatus, payment_status

logger = logging.getLogger(__name__)

# Which status in Supabase's row comes after which when nobody but us writes it.
_LEADS_TO = {
    PaymentStatus.PENDING: frozenset(PaymentStatus) - {PaymentStatus.PENDING},
    PaymentStatus.PROCESSING: frozenset({PaymentStatus.COMPLETED, PaymentStatus.FAILED, PaymentStatus.REFUNDED}),
    PaymentStatus.COMPLETED: frozenset({PaymentStatus.REFUNDED}),
    PaymentStatus.CANCELLED: frozenset({PaymentStatus.PROCESSING, PaymentStatus.COMPLETED, PaymentStatus.FAILED}),
}


def move(book: Book, status: ProviderStatus, *, why: str = "") -> None:
    """Note that the payment is in another state at the provider."""
    change = {"old": book.checkout.provider_status, "new": status.value}
    data: dict[str, Any] = change | ({"reason": why} if why else {})
    book.note(EventKind.STATUS_CHANGED, **data)
    book.checkout.provider_status = status


def keep(book: Book) -> None:
    """Decide when to look again, and let Supabase's row say what ours proves."""
    checkout = book.checkout
    pending_refund = any(one.status in (RefundStatus.REQUESTED, RefundStatus.PENDING) for one in book.refunds)
    wait = next_check_after(
        checkout.checks,
        ProviderStatus(checkout.provider_status),
        unsettled=pending_refund or has_unsettled_receipt(checkout, book.refunds),
        age=timezone.now() - checkout.created_at,
    )
    checkout.next_check_at = None if wait is None else timezone.now() + wait
    _write_row(book)


def _write_row(book: Book) -> None:
    """Let Supabase's row say what ours proves. When its triggers refuse that, ours still proves it."""
    payment, checkout = book.payment, book.checkout
    differs = {name: value for name, value in _truth(checkout).items() if getattr(payment, name) != value}
    if payment.was_deleted:
        for name, value in differs.items():
            setattr(payment, name, value)
        return
    before = {name: getattr(payment, name) for name in differs}
    try:
        if differs:
            with foreign_write():
                _note_corrections(book, differs)
                for name, value in differs.items():
                    setattr(payment, name, value)
                payment.save(update_fields=[*differs, "updated_at"])
                if not Payment.objects.filter(pk=payment.pk, **differs).exists():
                    raise ForeignRefusal("a trigger of Supabase's puts the old value back")
    except ForeignRefusal as refusal:
        for name, value in before.items():
            setattr(payment, name, value)
        book.flag(Attention.ROW_REFUSED, f"the database refused {', '.join(differs)}: {refusal}")
        again = timezone.now() + repeat_check_after(timezone.now() - checkout.created_at)
        checkout.next_check_at = min(again, checkout.next_check_at or again)
    else:
        book.settle(Attention.ROW_REFUSED)


def _truth(checkout: Checkout) -> dict[str, Any]:
    truth: dict[str, Any] = {"amount": checkout.amount, "currency": checkout.currency}
    if checkout.provider_status != ProviderStatus.UNKNOWN:
        fully = checkout.refunded_amount >= checkout.amount
        truth["status"] = payment_status(ProviderStatus(checkout.provider_status), fully_refunded=fully)
    if checkout.external_id is not None:
        truth["external_payment_id"] = checkout.external_id
    return truth


def _note_corrections(book: Book, differs: dict[str, Any]) -> None:
    """Tell of what only somebody else can have written: a status, an amount or an id that we never put there."""
    payment = book.payment
    ours = _LEADS_TO.get(PaymentStatus(payment.status), frozenset())
    wrong: dict[str, Any] = {
        name: {"found": str(getattr(payment, name)), "right": str(value)}
        for name, value in differs.items()
        if not (name == "status" and value in ours)
        and not (name == "external_payment_id" and payment.external_payment_id is None)
    }
    if wrong:
        logger.warning("payment %s was changed by somebody else, corrected: %s", payment.pk, ", ".join(wrong))
        book.note(EventKind.STATUS_CORRECTED, **wrong)
