"""How the bridge keeps payments in step with messages that could not be handled."""

import uuid
from datetime import datetime, timedelta

from django.utils import timezone

from bridge.errors import InvalidMessage
from bridge.message import LastError, Message, Reason
from bridge.rights import RowsHidden
from payments.errors import PaymentMissing, ProviderMismatch, UnclearClaim
from payments.ledger.attention import flag, flag_uncharted
from payments.ledger.locks import lock_payment
from payments.models import Checkout, Payment
from payments.queue import ProcessingRequest
from payments.states import Attention, Door
from payments.webhook.journal import fail_notification

# The provider was away for longer than the repeats last: the reconciliation takes over.
LOOK_AGAIN = timedelta(minutes=5)
_ANOTHER = frozenset({ProviderMismatch.__name__, UnclearClaim.__name__})


class PaymentJournal:
    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None:
        """Nothing to keep: the payment is as it was."""

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
            _, checkout = lock_payment(request.payment_id)
        except PaymentMissing:
            if error.type == UnclearClaim.__name__:
                _mark_claim(request.payment_id, said)
            return
        except RowsHidden:
            checkout = Checkout.objects.select_for_update().get(pk=request.payment_id)
        why = Attention.MISMATCH if error.type in _ANOTHER else Attention.CHECK_FAILED
        flag(checkout, why, said, door=Door.QUEUE)
        checkout.next_check_at = min(filter(None, (checkout.next_check_at, timezone.now() + LOOK_AGAIN)))
        checkout.save(update_fields=["next_check_at", "updated_at"])


def _mark_claim(payment_id: uuid.UUID, said: str) -> None:
    """Mark the oldest of the rows that claim this money: anybody may add to them, and one mark finds all."""
    claimed = Payment.objects.filter(pk=payment_id).values("external_payment_id")
    claims = Payment.objects.filter(external_payment_id__in=claimed, checkout__isnull=True)
    oldest = claims.order_by("created_at", "pk").values_list("pk", flat=True).first()
    if oldest is not None:
        flag_uncharted(oldest, Attention.MISMATCH, said, door=Door.QUEUE)
