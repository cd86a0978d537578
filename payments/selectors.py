"""Which payments a customer sees, and what of their status is proven."""

import uuid

from django.db.models import QuerySet

from payments.models import Checkout, Payment
from payments.states import PaymentStatus, ProviderStatus, payment_status


def payments_of(user_id: uuid.UUID) -> QuerySet[Payment]:
    """The customer's rows, also those that nothing was started for yet."""
    return Payment.objects.filter(user_id=user_id).select_related("checkout")


def proven_status(row: Payment) -> PaymentStatus | None:
    """What the provider's last word makes of a payment; `None` when it was never asked about it."""
    try:
        checkout: Checkout = row.checkout
    except Checkout.DoesNotExist:
        return None
    fully_refunded = checkout.refunded_amount >= checkout.amount
    return payment_status(ProviderStatus(checkout.provider_status), fully_refunded=fully_refunded)
