"""Marks payments that a person must look at, and takes the mark away."""

import uuid

from django.db import transaction
from django.utils import timezone

from payments.models import Checkout
from payments.services.locks import lock_payment
from payments.services.timeline import record_event
from payments.states import Attention, Door, EventKind


def flag(checkout: Checkout, reason: Attention, note: str, *, door: Door) -> None:
    """Mark a locked checkout; saves nothing yet but the timeline's line. `note` says what is wrong, with ids only.

    A payment that waits for a person already keeps its first reason: what went wrong first explains the rest.
    """
    if checkout.attention and checkout.attention != Attention.CHECK_FAILED:
        return
    if checkout.attention == reason and checkout.attention_note == note:
        return
    checkout.attention, checkout.attention_note = reason, note
    checkout.attention_since = timezone.now()
    record_event(checkout.payment_id, EventKind.ATTENTION, door=door, reason=reason.value, note=note)


def settle(checkout: Checkout, *reasons: Attention, door: Door) -> None:
    """Take the mark away if it is for one of `reasons`, which turned out well by itself."""
    if checkout.attention in reasons:
        _clear(checkout, door=door)


def clear_attention(*, payment_id: uuid.UUID, actor_id: int, note: str) -> None:
    """Take the mark away by hand. Raises `PaymentMissing`."""
    with transaction.atomic():
        _, checkout = lock_payment(payment_id)
        if checkout.attention:
            _clear(checkout, door=Door.STAFF, actor_id=actor_id, note=note)
            checkout.save(update_fields=["attention", "attention_note", "attention_since", "updated_at"])


def _clear(checkout: Checkout, *, door: Door, actor_id: int | None = None, **data: str) -> None:
    reason = checkout.attention
    checkout.attention, checkout.attention_note, checkout.attention_since = "", "", None
    record_event(checkout.payment_id, EventKind.ATTENTION_CLEARED, door=door, actor_id=actor_id, reason=reason, **data)
