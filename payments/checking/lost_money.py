"""Money at YooKassa for an order of ours that no payment here has: it gets a checkout and a mark, as any has."""

import uuid

from django.db.models import QuerySet

from payments.ledger.attention import flag, settle
from payments.ledger.locks import lock_payment
from payments.ledger.timeline import record_event
from payments.models import Checkout, Payment, PaymentAttention
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
    _, checkout = lock_payment(payment_id)
    if not holds_money:
        if _marks(payment_id).filter(settled_at__isnull=True, note__contains=theirs.id).exists():
            settle(checkout, Attention.PAID_TWICE, door=Door.RECONCILIATION)
        return False
    note = f"YooKassa has {theirs.id} ({theirs.amount} {theirs.currency}) beside {checkout.external_id}"
    return flag(checkout, Attention.PAID_TWICE, note, door=Door.RECONCILIATION)


def was_dealt_with(payment_id: uuid.UUID, reason: Attention) -> bool:
    """Whether a person has settled this."""
    return _marks(payment_id, reason).filter(settled_by__isnull=False).exists()


def is_marked(payment_id: uuid.UUID, reason: Attention) -> bool:
    return _marks(payment_id, reason).filter(settled_at__isnull=True).exists()


def _marks(payment_id: uuid.UUID, reason: Attention = Attention.PAID_TWICE) -> QuerySet[PaymentAttention]:
    return PaymentAttention.objects.filter(payment_id=payment_id, reason=reason)


def _payer(theirs: ProviderPayment) -> uuid.UUID:
    try:
        return uuid.UUID(theirs.metadata.get("user_id", ""))
    except ValueError:
        return NOBODY
