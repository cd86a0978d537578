"""What the home page says of money: what waits for a person, and what came in and went back today."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from payments.admin.revenue import Revenue, revenue_by_day
from payments.admin.unsettled import open_notifications, open_refunds
from payments.advice import ATTENTION
from payments.models import Payment, PaymentAttention, ProviderNotification, Refund
from payments.states import GRAVITY, Attention
from staff.attention import Counted, Line, Watch, list_address, some
from staff.badges import Tone
from staff.formats import money
from staff.sections import Figure, Section
from wording.russian import MOSCOW

# Papers and the site's own table: nobody waits for money or for a consultation because of these.
_HAVE_TIME = frozenset(
    {
        *(Attention.RECEIPT_FAILED, Attention.REFUND_RECEIPT_FAILED, Attention.REFUND_RECEIPT_MISSING),
        *(Attention.NOT_CREATED, Attention.CHECK_FAILED, Attention.ROW_REFUSED),
    }
)

_refunds = Counted(lambda: open_refunds(Refund.objects.all()))
_notifications = Counted(lambda: open_notifications(ProviderNotification.objects.all()))


def look_at_marks() -> Iterator[Line]:
    """A line for each reason, the gravest first: what is to be done differs by it."""
    counts = dict(
        PaymentAttention.objects.filter(settled_at__isnull=True)
        .values_list("reason")
        .annotate(Count("payment_id", distinct=True))
    )
    for reason in sorted(counts, key=lambda one: GRAVITY.get(one, 0)):
        count = counts[reason]
        known = Attention(reason) if reason in Attention.values else None
        text = ngettext("%(count)s payment: %(why)s", "%(count)s payments: %(why)s", count)
        yield Line(
            text % {"count": some(count), "why": known.label if known else reason},
            list_address(Payment, f"attention={reason}"),
            ATTENTION.get(reason, ""),
            Tone.LATE if reason in _HAVE_TIME else Tone.BAD,
        )


def look_at_refunds() -> Iterator[Line]:
    if count := _refunds():
        text = ngettext("%(count)s refund did not go through", "%(count)s refunds did not go through", count)
        advice = gettext_lazy("The client still waits for the money: open the refund, see why, and refund again.")
        yield Line(text % {"count": some(count)}, list_address(Refund, "standing=open"), advice, Tone.BAD)


def look_at_notifications() -> Iterator[Line]:
    if count := _notifications():
        text = ngettext(
            "%(count)s notification of YooKassa could not be checked",
            "%(count)s notifications of YooKassa could not be checked",
            count,
        )
        advice = gettext_lazy("Process it again; if that fails, show the error to the developers.")
        yield Line(text % {"count": some(count)}, list_address(ProviderNotification, "standing=open"), advice)


def read_money() -> dict[str, Any]:
    """Today's and, to compare it with, the same day a week ago as a whole."""
    today = timezone.localdate(timezone=MOSCOW)
    last_week = today - timedelta(days=7)
    days = {day.date: day.revenue for day in revenue_by_day(last_week, today)}
    return {
        **_shown(days[today]),
        "before": money(days[last_week].paid),
        "address": f"{reverse('admin:payments_payment_revenue')}?days=7",
        "with_tests": settings.SANDBOX,
    }


def _shown(revenue: Revenue) -> dict[str, Any]:
    paid = ngettext("%(count)s payment", "%(count)s payments", revenue.payments) % {"count": some(revenue.payments)}
    back = ngettext("%(count)s refund", "%(count)s refunds", revenue.refunds) % {"count": some(revenue.refunds)}
    return {
        "figures": [
            Figure(_("Paid"), money(revenue.paid), paid),
            Figure(_("Refunded"), money(revenue.refunded), back),
            Figure(_("Net"), money(revenue.net)),
        ]
    }


WATCHES = (
    Watch(gettext_lazy("marks of payments"), "payments.view_payment", look_at_marks),
    Watch(gettext_lazy("refunds"), "payments.view_refund", look_at_refunds),
    Watch(gettext_lazy("notifications of YooKassa"), "payments.view_providernotification", look_at_notifications),
)
SECTIONS = (
    Section(
        "money",
        gettext_lazy("Money today"),
        "payments.view_revenue",
        "admin/payments/dashboard/money.html",
        read_money,
        place=40,
        narrow=True,
    ),
)
