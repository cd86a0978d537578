"""The refunds of one payment, as its decisions need them: all at once. Exact only under its lock."""

import uuid

from payments.models import Refund


def refunds_of(payment_id: uuid.UUID) -> list[Refund]:
    """The oldest first."""
    return list(Refund.objects.filter(payment_id=payment_id).order_by("created_at"))
