"""Finds what was begun already for the same order, so that one purchase stays one payment."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from payments.errors import InvalidOrder
from payments.minutes import within_minute
from payments.models import Checkout, Payment
from payments.orders import Order, parse_order
from payments.states import OPEN, PaymentStatus

# How old a row of the front end may be: it writes the row a moment before it calls us.
ADOPT_WITHIN = timedelta(minutes=30)
# How long a repeated request means the same purchase; then a person buys the same thing once more.
REUSE_WITHIN = timedelta(minutes=15)
_MOST_ROWS = 50


@dataclass(frozen=True, slots=True)
class Purchase:
    """What somebody wants to pay, checked: the same for each click on the same button."""

    user_id: uuid.UUID
    order: Order
    amount: Decimal
    currency: str


def find_row(purchase: Purchase) -> Payment | None:
    """Lock and return the newest row that the front end wrote for this purchase and that is no payment yet.

    The front end goes on to verify the id of that row, so a second one of ours would stay without anybody.
    """
    started = Checkout.objects.filter(pk=OuterRef("pk"))
    rows = Payment.objects.select_for_update().filter(
        ~Exists(started),
        user_id=purchase.user_id,
        amount=purchase.amount,
        currency=purchase.currency,
        status=PaymentStatus.PENDING,
        external_payment_id__isnull=True,
        created_at__gte=timezone.now() - ADOPT_WITHIN,
    )
    return next((row for row in rows.order_by("-created_at")[:_MOST_ROWS] if _order_of(row) == purchase.order), None)


def find_open_checkout(purchase: Purchase) -> Checkout | None:
    """Return the newest payment for this purchase that waits for its payer: a double click, or a repeated call."""
    open_ones = Checkout.objects.filter(
        user_id=purchase.user_id,
        # The row that the front end reads, too: a customer may have deleted it, and what is paid then finds no row.
        payment__user_id=purchase.user_id,
        amount=purchase.amount,
        currency=purchase.currency,
        provider_status__in=OPEN,
        # Without it the payment was begun by the system before us and cannot be sent again.
        request_body__isnull=False,
        created_at__gte=timezone.now() - REUSE_WITHIN,
    )
    open_ones = open_ones.filter(same_order(purchase.order))
    return open_ones.order_by("-created_at").first()


def is_started(row: Payment) -> bool:
    """Whether anything was asked of the provider under this row, by us or by the system before us."""
    return bool(row.external_payment_id) or Checkout.objects.filter(pk=row.pk).exists()


def find_started(row: Payment) -> Payment | None:
    """The payment that was started for the purchase of a row that nothing was started under, the nearest in time.

    The front end inserts such a row for each try, and asks about it. It was not adopted when it came too late for that,
    or in the days of the system before us, which made a second row of its own.
    """
    order = _order_of(row)
    if order is None or row.created_at is None:
        return None
    asked = row.created_at
    around = (asked - ADOPT_WITHIN, asked + ADOPT_WITHIN)
    near = Payment.objects.filter(user_id=row.user_id, created_at__range=around).exclude(pk=row.pk)
    ours = near.filter(Exists(Checkout.objects.filter(same_order(order), pk=OuterRef("pk"), amount=row.amount)))
    older = near.filter(checkout__isnull=True, external_payment_id__isnull=False, amount=row.amount)
    found = [*ours[:_MOST_ROWS], *(one for one in older[:_MOST_ROWS] if _order_of(one) == order)]
    return min(found, key=lambda one: abs((one.created_at or asked) - asked), default=None)


def same_order(order: Order) -> Q:
    """The checkouts of the same order. Those from before times were cut to the minute are compared by it, too."""
    columns = order.columns()
    start = columns.pop("scheduled_at")
    return Q(**columns) & (Q(scheduled_at__isnull=True) if start is None else within_minute("scheduled_at", start))


def _order_of(row: Payment) -> Order | None:
    try:
        return parse_order(row.metadata)
    except InvalidOrder:
        # Written by the payer's browser: whatever it is, it is not this order.
        return None
