"""Payments whose row in Supabase's table was deleted: the money is there all the same, and so is our checkout of it.

Somebody with rights on the table may delete the row, alone or with the whole account, at any moment.
"""

from django.db.models import Exists, OuterRef, QuerySet

from bridge.rights import RowsHidden, require_sight
from payments.models import Checkout, Payment
from payments.states import ProviderStatus, payment_status

ROWS = "public.payments"


def without_row() -> QuerySet[Checkout]:
    """The checkouts whose row is gone; none where that cannot be known."""
    try:
        require_sight(ROWS)
    except RowsHidden:
        return Checkout.objects.none()
    return Checkout.objects.filter(~Exists(Payment.objects.filter(pk=OuterRef("pk"))))


def stand_in(checkout: Checkout) -> Payment:
    """A row as it would be, never to be saved: `was_deleted` tells it from a real one."""
    fully = checkout.refunded_amount >= checkout.amount
    return Payment(
        id=checkout.pk,
        user_id=checkout.user_id,
        amount=checkout.amount,
        currency=checkout.currency,
        status=payment_status(ProviderStatus(checkout.provider_status), fully_refunded=fully),
        external_payment_id=checkout.external_id,
        created_at=checkout.created_at,
        updated_at=checkout.updated_at,
    )
