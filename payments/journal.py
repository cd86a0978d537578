"""How the bridge keeps payments in step with messages that could not be handled."""

from datetime import datetime, timedelta

from django.utils import timezone

from bridge.errors import InvalidMessage
from bridge.message import LastError, Message, Reason
from payments.errors import PaymentMissing
from payments.processing import ProcessingRequest
from payments.services.attention import flag
from payments.services.locks import lock_payment
from payments.services.notifications import fail_notification
from payments.states import Attention, Door

# The provider was away for longer than the repeats last: the reconciliation takes over.
LOOK_AGAIN = timedelta(minutes=5)


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
            return
        flag(checkout, Attention.CHECK_FAILED, said, door=Door.QUEUE)
        checkout.next_check_at = min(filter(None, (checkout.next_check_at, timezone.now() + LOOK_AGAIN)))
        checkout.save(update_fields=["attention", "attention_note", "attention_since", "next_check_at", "updated_at"])
