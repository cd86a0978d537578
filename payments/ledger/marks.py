"""The marks of payments that a person must look at, as they stand. Only the book makes them and takes them away."""

import uuid

from django.db import connection
from django.db.models import QuerySet

from payments.models import PaymentAttention
from payments.states import GRAVITY, NOTHING_GIVEN, STANDING, Attention

# While a new version is started, processes of the one before go on: they mark the checkout alone, and know of no rows.
_ROWS_FOR_MARKS = """
WITH bare AS (
    SELECT payment_id, attention, attention_note, attention_since FROM payments_checkout AS checkout
    WHERE attention <> '' AND (payment_id = %(payment_id)s OR %(payment_id)s::uuid IS NULL) AND NOT EXISTS (
        SELECT FROM payments_paymentattention AS mark
        WHERE mark.payment_id = checkout.payment_id AND mark.reason = attention AND mark.settled_at IS NULL)
    FOR UPDATE
)
INSERT INTO payments_paymentattention (payment_id, reason, note, since) SELECT * FROM bare
ON CONFLICT (payment_id, reason) WHERE settled_at IS NULL DO NOTHING
"""
# And what they take away, they take away there.
_SETTLED_BEFORE = """
UPDATE payments_paymentattention AS mark SET settled_at = cleared.created_at, settled_by_id = cleared.actor_id
FROM payments_checkout AS checkout, payments_paymentevent AS cleared
WHERE mark.settled_at IS NULL AND checkout.payment_id = mark.payment_id AND checkout.attention = ''
  AND cleared.payment_id = mark.payment_id AND cleared.kind = 'attention_cleared'
  AND cleared.data ->> 'reason' = mark.reason AND cleared.created_at >= mark.since
"""


def open_marks(payment_id: uuid.UUID) -> list[PaymentAttention]:
    """The gravest first."""
    rows = PaymentAttention.objects.filter(payment_id=payment_id, settled_at__isnull=True)
    return sorted(rows, key=lambda mark: (GRAVITY[mark.reason], mark.pk))


def is_marked(payment_id: uuid.UUID, reason: Attention) -> bool:
    return PaymentAttention.objects.filter(payment_id=payment_id, reason=reason, settled_at__isnull=True).exists()


def was_ever_marked(payment_id: uuid.UUID) -> bool:
    return PaymentAttention.objects.filter(payment_id=payment_id).exists()


def was_dealt_with(payment_id: uuid.UUID, *reasons: Attention) -> bool:
    """Whether a person has settled one of these: that nothing was given by a consultation of another time, say."""
    return _by_hand(payment_id).filter(reason__in=reasons).exists()


def was_settled_by_hand(payment_id: uuid.UUID, reason: Attention, note: str) -> bool:
    """Whether a mark would only repeat what a person has dealt with."""
    if reason not in STANDING:
        return False
    if reason in NOTHING_GIVEN:
        return was_dealt_with(payment_id, *NOTHING_GIVEN)
    return _by_hand(payment_id).filter(reason=reason, note=note).exists()


def take_over_marks() -> None:
    """Give the marks that processes of the version before have made their rows, and settle what those took away."""
    _take_over(None)
    with connection.cursor() as cursor:
        cursor.execute(_SETTLED_BEFORE)


def take_over_marks_of(payment_id: uuid.UUID) -> None:
    """Give the mark that such a process has made for one payment its row, before anything else is done to it."""
    _take_over(payment_id)


def _take_over(payment_id: uuid.UUID | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ROWS_FOR_MARKS, {"payment_id": payment_id})


def _by_hand(payment_id: uuid.UUID) -> QuerySet[PaymentAttention]:
    return PaymentAttention.objects.filter(payment_id=payment_id, settled_by__isnull=False)
