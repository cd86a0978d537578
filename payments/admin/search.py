"""How staff find payments: by what clients, YooKassa and logs name them with."""

import re
from uuid import UUID

from django.db.models import Q, QuerySet

from payments.models import Checkout, Fulfilment, Payment, Refund, User

# «Заказ № ba4f0383» is what the payer reads at YooKassa and in the bank; our own pages write «ba4f0383…».
_ORDER_NUMBER = re.compile(r"(?:заказ)?\s*№?\s*([0-9a-f]{8})\s*(?:…|\.\.\.)?", re.IGNORECASE)


def search_payments(payments: QuerySet[Payment], text: str) -> QuerySet[Payment]:
    """Those with this id (ours, YooKassa's, of a refund, a client or what was given), with this order number, or with
    a piece of a client's address.

    Any text is fine. Each id is looked for in its own table, so that no join slows the list down or repeats a row.
    """
    text = text.strip()
    if not text:
        return payments
    by_external_id = Q(pk__in=Checkout.objects.filter(external_id=text).values("pk"))
    return payments.filter(_named_by(text) | by_external_id | Q(external_payment_id=text))


def search_checkouts(checkouts: QuerySet[Checkout], text: str) -> QuerySet[Checkout]:
    """The same for payments whose row is gone; the address may be one that only the receipt still has."""
    text = text.strip()
    if not text:
        return checkouts
    contact = Q(request_body__receipt__customer__email__icontains=text)
    return checkouts.filter(_named_by(text) | contact | Q(external_id=text))


def _named_by(text: str) -> Q:
    """What both tables have: the payment's id as key, and the client's."""
    refunds = Q(external_id=text)
    found = Q()
    if number := _ORDER_NUMBER.fullmatch(text):
        # The beginning of the id: a range, which its index serves, and not a search through texts.
        found |= Q(pk__gte=UUID(number[1] + "0" * 24), pk__lte=UUID(number[1] + "f" * 24))
    try:
        value = UUID(text)
    except ValueError:
        found |= Q(user_id__in=User.objects.filter(email__icontains=text).values("pk"))
    else:
        refunds |= Q(pk=value)
        given = Fulfilment.objects.filter(Q(appointment_id=value) | Q(purchase_id=value))
        found |= Q(pk=value) | Q(user_id=value) | Q(pk__in=given.values("pk"))
    return found | Q(pk__in=Refund.objects.filter(refunds).values("payment_id"))
