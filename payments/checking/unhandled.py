"""How the bridge keeps payments in step with messages that could not be handled."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils import timezone

from bridge.errors import InvalidMessage
from bridge.message import LastError, Message, Reason
from payments.checking.schedule import repeat_check_after
from payments.errors import NotTheirs, PaymentMissing, ProviderMismatch, UnclearClaim
from payments.ledger.book import open_book, open_loose_leaf
from payments.models import Payment
from payments.queue import ProcessingRequest
from payments.states import Attention, Door
from payments.webhook.journal import fail_notification

# The provider was away for longer than the repeats last: the reconciliation takes over.
LOOK_AGAIN = timedelta(minutes=5)
_ANOTHER = frozenset({ProviderMismatch.__name__, NotTheirs.__name__, UnclearClaim.__name__})


class PaymentJournal:
    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None:
        """Nothing to keep: the payment is as it was."""

    def discarded(self, queue: str, sent_at: Mapping[int, datetime]) -> None:
        """Nothing to keep: a mark about money goes when somebody takes it away from the payment."""

    def failed(self, message: Message, reason: Reason, error: LastError) -> None:
        """Mark the payment for staff, and have it checked again later. A message that names none leaves no trace."""
        try:
            request = ProcessingRequest.parse(message.body)
        except InvalidMessage:
            return
        said = f"{error.type}: {error.message}"
        if request.notification_id is not None:
            fail_notification(notification_id=request.notification_id, payment_id=request.payment_id, error=said)
        try:
            with open_book(request.payment_id, door=Door.QUEUE, even_if_hidden=True) as book:
                is_another = error.type in _ANOTHER
                book.flag(Attention.MISMATCH if is_another else Attention.CHECK_FAILED, said)
                planned, now = book.checkout.next_check_at, timezone.now()
                # Another payment than ours seldom becomes ours, and each time that it does not is an error.
                again = now + (repeat_check_after(now - book.checkout.created_at) if is_another else LOOK_AGAIN)
                book.checkout.next_check_at = min(filter(None, (planned, again)))
        except PaymentMissing:
            if error.type == UnclearClaim.__name__:
                _mark_claim(request.payment_id, said)


def _mark_claim(payment_id: uuid.UUID, said: str) -> None:
    """Mark the oldest of the rows that claim this money: anybody may add to them, and one mark finds all."""
    claimed = Payment.objects.filter(pk=payment_id).values("external_payment_id")
    claims = Payment.objects.filter(external_payment_id__in=claimed, checkout__isnull=True)
    oldest = claims.order_by("created_at", "pk").values_list("pk", flat=True).first()
    if oldest is not None:
        with open_loose_leaf(oldest, door=Door.QUEUE) as leaf:
            leaf.flag(Attention.MISMATCH, said)
