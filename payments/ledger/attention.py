"""Marks payments that a person must look at, and takes the marks away.

A payment may have several marks at once. Its checkout repeats the gravest of them, for lists.
"""

import uuid

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from payments.ledger.locks import lock_payment
from payments.ledger.timeline import record_event
from payments.models import Checkout, PaymentAttention
from payments.states import GRAVITY, NOTHING_GIVEN, STANDING, Attention, Door, EventKind

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


def flag(checkout: Checkout, reason: Attention, note: str, *, door: Door) -> bool:
    """Mark a locked payment, at once; `note` says what is wrong, with ids only. Returns whether that is news.

    What a person has settled is not marked anew by a check that sees the same thing again.
    """
    _take_over(checkout.pk)
    if _was_settled_by_hand(checkout.pk, reason, note):
        return False
    if reason in NOTHING_GIVEN:
        settle(checkout, *(NOTHING_GIVEN - {reason}), door=door)
    mark, made = PaymentAttention.objects.get_or_create(
        payment_id=checkout.pk,
        reason=reason,
        settled_at=None,
        defaults={"note": note, "since": timezone.now()},
    )
    news = made or mark.note != note
    if news:
        mark.note = note
        mark.save(update_fields=["note"])
        record_event(checkout.pk, EventKind.ATTENTION, door=door, reason=reason.value, note=note)
    _repeat_gravest(checkout)
    return news


def flag_uncharted(payment_id: uuid.UUID, reason: Attention, note: str, *, door: Door) -> bool:
    """The same for a row that has no checkout, as nothing was ever started here for it."""
    return flag(Checkout(payment_id=payment_id), reason, note, door=door)


def settle(checkout: Checkout, *reasons: Attention, door: Door) -> None:
    """Take away the marks for `reasons`, which turned out well by themselves."""
    if not checkout.attention:
        return
    _take_over(checkout.pk)
    for mark in open_marks(checkout.pk):
        if mark.reason in reasons:
            _close(mark, door=door)
    _repeat_gravest(checkout)


def open_marks(payment_id: uuid.UUID) -> list[PaymentAttention]:
    """The gravest first."""
    rows = PaymentAttention.objects.filter(payment_id=payment_id, settled_at__isnull=True)
    return sorted(rows, key=lambda mark: (GRAVITY[mark.reason], mark.pk))


def clear_attention(*, payment_id: uuid.UUID, actor_id: int, note: str, mark_id: int | None = None) -> None:
    """Take a mark away by hand, or without `mark_id` all that are open. Raises `PaymentMissing`."""
    with transaction.atomic():
        checkout = _locked(payment_id)
        _take_over(payment_id)
        closed = [mark for mark in open_marks(payment_id) if mark_id in (None, mark.pk)]
        for mark in closed:
            _close(mark, door=Door.STAFF, actor_id=actor_id, note=note)
        if any(mark.reason in NOTHING_GIVEN for mark in closed):
            # A person has given it, or something else for it: a machine is not to try it again.
            checkout.held_at = checkout.give_at = None
            Checkout.objects.filter(pk=payment_id).update(held_at=None, give_at=None)
        _repeat_gravest(checkout)


def take_over_marks() -> None:
    """Give the marks that processes of the version before have made their rows, and settle what those took away."""
    _take_over(None)
    with connection.cursor() as cursor:
        cursor.execute(_SETTLED_BEFORE)


def _take_over(payment_id: uuid.UUID | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ROWS_FOR_MARKS, {"payment_id": payment_id})


def _locked(payment_id: uuid.UUID) -> Checkout:
    marked = PaymentAttention.objects.filter(payment_id=payment_id).exists()
    if marked and not Checkout.objects.filter(pk=payment_id).exists():
        return Checkout(payment_id=payment_id)
    return lock_payment(payment_id)[1]


def was_dealt_with(payment_id: uuid.UUID) -> bool:
    """Whether a person has settled that nothing was given: by a consultation of another time, for instance."""
    return _by_hand(payment_id).filter(reason__in=NOTHING_GIVEN).exists()


def _was_settled_by_hand(payment_id: uuid.UUID, reason: Attention, note: str) -> bool:
    if reason not in STANDING:
        return False
    if reason in NOTHING_GIVEN:
        return was_dealt_with(payment_id)
    return _by_hand(payment_id).filter(reason=reason, note=note).exists()


def _by_hand(payment_id: uuid.UUID) -> QuerySet[PaymentAttention]:
    return PaymentAttention.objects.filter(payment_id=payment_id, settled_by__isnull=False)


def _close(mark: PaymentAttention, *, door: Door, actor_id: int | None = None, **data: str) -> None:
    mark.settled_at, mark.settled_by_id = timezone.now(), actor_id
    mark.save(update_fields=["settled_at", "settled_by"])
    kind = EventKind.ATTENTION_CLEARED
    record_event(mark.payment_id, kind, door=door, actor_id=actor_id, reason=mark.reason, **data)


def _repeat_gravest(checkout: Checkout) -> None:
    gravest = next(iter(open_marks(checkout.pk)), None)
    told = (gravest.reason, gravest.note, gravest.since) if gravest is not None else ("", "", None)
    if told == (checkout.attention, checkout.attention_note, checkout.attention_since):
        return
    checkout.attention, checkout.attention_note, checkout.attention_since = told
    names = ("attention", "attention_note", "attention_since")
    Checkout.objects.filter(pk=checkout.pk).update(**dict(zip(names, told, strict=True)))
