"""Adds lines to a payment's timeline. Called inside the transaction of whatever the line tells."""

import uuid
from typing import Any

from bridge.trace import current_trace_id
from payments.models import PaymentEvent
from payments.states import Door, EventKind


def record_event(
    payment_id: uuid.UUID, kind: EventKind, *, door: Door, actor_id: int | None = None, **data: Any
) -> PaymentEvent:
    """Add an event; `data` is JSON: ids, states, amounts as text, and no person's data."""
    return PaymentEvent.objects.create(
        payment_id=payment_id,
        kind=kind,
        door=door,
        data=data,
        actor_id=actor_id,
        trace_id=current_trace_id(),
    )
