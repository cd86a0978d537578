"""The one room: whatever says that a payment may have changed ends here, and only the provider's word counts.

Webhook, `verify`, queue message, reconciliation and staff are doors. Each has `send_and_ask` done first, outside any
transaction, and then applies the answer under the payment's lock. Answers may overtake each other and come any number
of times; the transition table lets a payment only move forward, so they all end in the same state.
"""

import uuid
from datetime import datetime

from django.utils import timezone

from payments.checking.apply import apply_observation
from payments.checking.ask import Observation, ask_about
from payments.checking.take_over import started_row, take_over
from payments.checking.turns import take_turn, take_turn_anyway
from payments.models import Checkout, Payment
from payments.provider import provider
from payments.refunds.send import send_refunds
from payments.states import Door
from payments.yookassa.objects import ProviderPayment


def sync_payment(payment_id: uuid.UUID, *, door: Door, at_once: bool = False) -> Payment:
    """Bring a payment to what the provider says and return its row. Raises what `send_and_ask` raises."""
    return apply_observation(send_and_ask(payment_id, at_once=at_once), door=door)


def send_and_ask(payment_id: uuid.UUID, *, news_at: datetime | None = None, at_once: bool = False) -> Observation:
    """Send the refunds that staff asked for, then ask how the payment stands: all of the one room's HTTP.

    A payment that the system before us started gets its checkout on the way. Nothing else of ours is written. Raises
    `PaymentMissing` for a payment that was never started, `ProviderMismatch` when the provider does not know the id
    that we have of it, `Unavailable` or `Rejected` from the adapter, and `ProviderNotConfigured`.

    Raises `AskedLately` where the provider was asked a moment ago. `news_at`, when we learned that something has
    happened, makes the wait short; `at_once` is for what may not rest on an answer of before.
    """
    client = provider()
    checkout = Checkout.objects.filter(pk=payment_id).first()
    row = started_row(payment_id) if checkout is None else None
    if at_once:
        take_turn_anyway(payment_id)
    else:
        take_turn(payment_id, news_at=news_at, refunds_are_news=True)
    seen_at = timezone.now()
    theirs: ProviderPayment | None = None
    if checkout is None:
        assert row is not None  # noqa: S101 # There is one where there is no checkout.
        checkout, theirs = take_over(client, row)
    return ask_about(client, checkout, sent=send_refunds(client, checkout), seen_at=seen_at, known=theirs)
