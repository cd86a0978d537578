"""The one room: whatever says that a payment may have changed ends here, and only the provider's word counts.

Webhook, `verify`, queue message, reconciliation and staff are doors. Each has `send_and_ask` done first, outside any
transaction, and then applies the answer under the payment's lock. Answers may overtake each other and come any number
of times; the transition table lets a payment only move forward, so they all end in the same state.
"""

import uuid

from django.utils import timezone

from payments.checking.apply import apply_observation
from payments.checking.ask import Observation, ask_about
from payments.checking.take_over import take_over
from payments.models import Checkout, Payment
from payments.provider import provider
from payments.refunds.send import send_refunds
from payments.states import Door


def sync_payment(payment_id: uuid.UUID, *, door: Door) -> Payment:
    """Bring a payment to what the provider says and return its row. Raises what `send_and_ask` raises."""
    return apply_observation(send_and_ask(payment_id), door=door)


def send_and_ask(payment_id: uuid.UUID) -> Observation:
    """Send the refunds that staff asked for, then ask how the payment stands: all of the one room's HTTP.

    A payment that the system before us started gets its checkout on the way. Nothing else of ours is written. Raises
    `PaymentMissing` for a payment that was never started, `ProviderMismatch` when the provider does not know the id
    that we have of it, `Unavailable` or `Rejected` from the adapter, and `ProviderNotConfigured`.
    """
    client, seen_at = provider(), timezone.now()
    checkout = Checkout.objects.filter(pk=payment_id).first() or take_over(client, payment_id)
    return ask_about(client, checkout, sent=send_refunds(client, checkout), seen_at=seen_at)
