"""The revenue by day: a chart, its numbers, and their sum."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payments.admin.revenue import Day, Revenue, revenue_by_day, total
from payments.admin.revenue_chart import draw_revenue
from payments.admin.revenue_table import revenue_table
from staff.formats import money
from staff.read_only import ReadOnlyAdmin
from wording.russian import MOSCOW

PERIODS = (7, 30, 90)
USUAL = 30
MONTHS = 12


@dataclass(frozen=True, slots=True)
class Choice:
    """A period to look at: the query that asks for it, and whether it is the one that is shown."""

    query: str
    label: str
    chosen: bool
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Row:
    when: str
    paid: str
    payments: int
    refunded: str
    refunds: int
    net: str


def revenue_page(model_admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponseBase:
    """Show the period that `days` or `month` (`2026-11`) names, the last 30 days without one; as a table if asked."""
    choices = _choices(timezone.localdate(timezone=MOSCOW), request.GET.get("days", ""), request.GET.get("month", ""))
    shown = next(choice for choice in choices if choice.chosen)
    if request.GET.get("table") == "csv":
        return revenue_table(shown.first, shown.last)
    days = revenue_by_day(shown.first, shown.last)
    context = {
        "periods": choices[: len(PERIODS)],
        "months": choices[len(PERIODS) :],
        "table": f"{shown.query}&table=csv",
        "chart": draw_revenue(days),
        "rows": [_row(date_format(day.date, "d.m.Y, D"), day.revenue) for day in reversed(days) if _happened(day)],
        "total": _row(shown.label, total(days)),
        "with_tests": settings.SANDBOX,
    }
    return model_admin.page(request, "admin/payments/revenue.html", _("Revenue"), **context)


def _choices(today: date, days: str, month: str) -> list[Choice]:
    firsts = [today.replace(day=1)]
    while len(firsts) < MONTHS:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    months = {f"{first:%Y-%m}": first for first in firsts}
    # As text: Python reads no number of thousands of digits, and addresses may hold one.
    count = {str(number): number for number in PERIODS}.get(days, USUAL)
    return [
        *(
            Choice(
                query=f"?days={number}",
                label=ngettext("%(count)s day", "%(count)s days", number) % {"count": number},
                chosen=month not in months and number == count,
                first=today - timedelta(days=number - 1),
                last=today,
            )
            for number in PERIODS
        ),
        *(
            Choice(
                query=f"?month={name}",
                label=date_format(first, "F Y"),
                chosen=name == month,
                first=first,
                last=min((first + timedelta(days=31)).replace(day=1) - timedelta(days=1), today),
            )
            for name, first in months.items()
        ),
    ]


def _happened(day: Day) -> bool:
    return bool(day.revenue.payments or day.revenue.refunds)


def _row(when: str, revenue: Revenue) -> Row:
    return Row(
        when=when,
        paid=money(revenue.paid),
        payments=revenue.payments,
        refunded=money(revenue.refunded),
        refunds=revenue.refunds,
        net=money(revenue.net),
    )
