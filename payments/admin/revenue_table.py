"""The revenue as a table for the accountant: a line for each payment and refund, as Russian spreadsheets open it."""

import csv
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from payments.admin.orders import method_name
from payments.admin.revenue import CURRENCY, counted_checkouts
from payments.models import Refund
from payments.states import OrderKind, ProviderStatus, RefundStatus
from staff.formats import moment
from wording.russian import MOSCOW, order_number
from wording.spreadsheet import safe_amount

# Read by keys in pieces: no transaction stands open while somebody's slow line takes the lines.
MOST_LINES = 100_000
PIECE = 1000
HEADINGS: tuple[str | Promise, ...] = (
    gettext_lazy("time (Moscow)"),
    gettext_lazy("what"),
    gettext_lazy("order №"),
    gettext_lazy("id at YooKassa"),
    gettext_lazy("amount, RUB"),
    gettext_lazy("income after commission, RUB"),
    gettext_lazy("what for"),
    gettext_lazy("method"),
    gettext_lazy("reason"),
)
# What a spreadsheet would run as a formula.


class _Written:
    """What `csv` writes to: gives each line back."""

    def write(self, line: str) -> str:
        return line


def revenue_table(first: date, last: date) -> StreamingHttpResponse:
    """The same payments and refunds that the page adds up, both days included, payments first, each by time."""
    writer = csv.writer(_Written(), delimiter=";", lineterminator="\r\n")
    rows = chain([[str(heading) for heading in HEADINGS]], _lines(first, last))
    text = ("\ufeff" * (number == 0) + writer.writerow(map(safe_amount, row)) for number, row in enumerate(rows))
    name = f"revenue-{first:%Y-%m-%d}-{last:%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)


def _lines(first: date, last: date) -> Iterator[list[str]]:
    start = datetime.combine(first, time.min, MOSCOW)
    end = datetime.combine(last + timedelta(days=1), time.min, MOSCOW)
    for count, line in enumerate(chain(_payments(start, end), _refunds(start, end))):
        if count == MOST_LINES:
            yield [_("The table ends here: it has its %(count)s lines. Choose a shorter time.") % {"count": MOST_LINES}]
            return
        yield line


def _payments(start: datetime, end: datetime) -> Iterator[list[str]]:
    rows = counted_checkouts().filter(provider_status=ProviderStatus.SUCCEEDED, currency=CURRENCY)
    for row in _in_pieces(rows.defer("request_body"), "captured_at", start, end):
        yield [
            *(moment(row.captured_at, seconds=True), pgettext("revenue", "payment"), order_number(row.pk)),
            *(row.external_id or "", _amount(row.amount), _amount(row.income_amount)),
            *(str(OrderKind(row.kind).label) if row.kind else "", method_name(row), ""),
        ]


def _refunds(start: datetime, end: datetime) -> Iterator[list[str]]:
    real = counted_checkouts().filter(pk=OuterRef("payment_id"))
    rows = Refund.objects.filter(Exists(real), status=RefundStatus.SUCCEEDED, currency=CURRENCY)
    for row in _in_pieces(rows.defer("request_body"), "finished_at", start, end):
        yield [
            *(moment(row.finished_at, seconds=True), pgettext("revenue", "refund"), order_number(row.payment_id)),
            *(row.external_id or "", _amount(-row.amount), "", "", "", row.reason),
        ]


def _in_pieces(rows: QuerySet[Any], at: str, start: datetime, end: datetime) -> Iterator[Any]:
    rows = rows.filter(**{f"{at}__gte": start, f"{at}__lt": end}).order_by(at, "pk")
    piece = list(rows[:PIECE])
    while piece:
        yield from piece
        last = getattr(piece[-1], at)
        later = Q(**{f"{at}__gt": last}) | Q(**{at: last, "pk__gt": piece[-1].pk})
        piece = list(rows.filter(later)[:PIECE]) if len(piece) == PIECE else []


def _amount(amount: Decimal | None) -> str:
    """With the comma of Russian spreadsheets, and without spaces between thousands: a number, and no text."""
    return "" if amount is None else f"{amount:.2f}".replace(".", ",")
