"""Money at YooKassa for an order of ours that no payment here has: it gets a checkout and a mark, as any has."""

import uuid

from payments.ledger.book import open_book, record_event
from payments.ledger.marks import open_marks
from payments.models import Checkout, Payment
from payments.states import Attention, Door, EventKind, ProviderStatus
from payments.yookassa.objects import ProviderPayment

# Of money that does not say whose it is.
NOBODY = uuid.UUID(int=0)


def take_in(theirs: ProviderPayment, payment_id: uuid.UUID) -> bool:
    """Make a checkout for money that names a payment which nothing here knows; its check marks it.

    Its row was deleted before we knew of it, or a backup older than the payment was put in. What was ordered is gone.
    """
    row = Payment.objects.filter(pk=payment_id).first()
    _, made = Checkout.objects.get_or_create(
        pk=payment_id,
        defaults={
            "user_id": _payer(theirs) if row is None else row.user_id,
            "amount": theirs.amount,
            "currency": theirs.currency[:3],
            "external_id": theirs.id,
            "provider_status": ProviderStatus.PENDING,
        },
    )
    if made:
        kind = EventKind.PROVIDER_CREATED
        record_event(payment_id, kind, door=Door.RECONCILIATION, external_id=theirs.id, amount=str(theirs.amount))
    return made


def note_second(theirs: ProviderPayment, payment_id: uuid.UUID, *, holds_money: bool) -> bool:
    """Mark a payment whose order was paid once more, or settle that once the second money went back."""
    with open_book(payment_id, door=Door.RECONCILIATION) as book:
        if not holds_money:
            marks = [mark for mark in open_marks(payment_id) if mark.reason == Attention.PAID_TWICE]
            if any(theirs.id in mark.note for mark in marks):
                book.settle(Attention.PAID_TWICE)
            return False
        beside = book.checkout.external_id
        note = f"YooKassa has {theirs.id} ({theirs.amount} {theirs.currency}) beside {beside}"
        return book.flag(Attention.PAID_TWICE, note)


def _payer(theirs: ProviderPayment) -> uuid.UUID:
    try:
        return uuid.UUID(theirs.metadata.get("user_id", ""))
    except ValueError:
        return NOBODY
