"""What came in and what went back, by day. Days are Moscow's, as is the accounting.

Test payments are left out; in the sandbox there are no others, so there they count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, QuerySet, Sum
from django.db.models.functions import TruncDate

from payments.models import Checkout, Refund
from payments.states import ProviderStatus, RefundStatus
from wording.russian import MOSCOW

CURRENCY = "RUB"


@dataclass(frozen=True, slots=True)
class Revenue:
    """Money in roubles. A refund counts on the day it was made, whenever its payment was."""

    paid: Decimal
    payments: int
    refunded: Decimal
    refunds: int

    @property
    def net(self) -> Decimal:
        """Negative on a day that gave more back than it took."""
        return self.paid - self.refunded


@dataclass(frozen=True, slots=True)
class Day:
    date: date
    revenue: Revenue


def counted_checkouts() -> QuerySet[Checkout]:
    """Those that move money of ours."""
    return Checkout.objects.all() if settings.SANDBOX else Checkout.objects.filter(test=False)


def revenue_by_day(first: date, last: date) -> list[Day]:
    """Every day from `first` to `last`, both included, also the empty ones."""
    start = datetime.combine(first, time.min, MOSCOW)
    end = datetime.combine(last + timedelta(days=1), time.min, MOSCOW)
    paid = (
        counted_checkouts()
        .filter(provider_status=ProviderStatus.SUCCEEDED, currency=CURRENCY)
        .filter(captured_at__gte=start, captured_at__lt=end)
        .values_list(TruncDate("captured_at", tzinfo=MOSCOW))
        .annotate(Sum("amount"), Count("pk"))
    )
    back = (
        # Not by way of Supabase's row: that may have been deleted, and the money was there all the same.
        Refund.objects.filter(Exists(counted_checkouts().filter(pk=OuterRef("payment_id"))))
        .filter(status=RefundStatus.SUCCEEDED, currency=CURRENCY)
        .filter(finished_at__gte=start, finished_at__lt=end)
        .values_list(TruncDate("finished_at", tzinfo=MOSCOW))
        .annotate(Sum("amount"), Count("pk"))
    )
    paid_on = {day: (amount, count) for day, amount, count in paid.order_by()}
    back_on = {day: (amount, count) for day, amount, count in back.order_by()}
    nothing = (Decimal(0), 0)
    dates = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [Day(day, Revenue(*paid_on.get(day, nothing), *back_on.get(day, nothing))) for day in dates]


def total(days: Sequence[Day]) -> Revenue:
    """The sum of all days."""
    each = [day.revenue for day in days]
    return Revenue(
        sum((one.paid for one in each), Decimal(0)),
        sum(one.payments for one in each),
        sum((one.refunded for one in each), Decimal(0)),
        sum(one.refunds for one in each),
    )
