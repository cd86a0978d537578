"""All refunds, to look through, and those of one payment."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from payments.admin.customers import shown_customer
from payments.admin.deleted_rows import get_stand_in
from payments.admin.finding import search_checkouts, search_payments
from payments.admin.unsettled import open_refunds, settled_refunds
from payments.advice import REFUND_NOT_SENT, REFUND_NOT_TAKEN, refund_advice, told_with_party
from payments.ledger.deleted_rows import without_row
from payments.models import Payment, Refund
from payments.refunds.outcomes import NOT_SENT
from payments.states import RefundStatus
from payments.words import receipt_name
from staff.attention import StandingFilter
from staff.badges import Tone, badge
from staff.formats import in_code, moment, money, pretty_json, two_lines
from staff.read_only import ReadOnlyAdmin
from wording.typed import read_amount

_TONES = {
    RefundStatus.REQUESTED: Tone.UNDERWAY,
    RefundStatus.PENDING: Tone.UNDERWAY,
    RefundStatus.SUCCEEDED: Tone.BACK,
    RefundStatus.CANCELED: Tone.BAD,
    RefundStatus.REJECTED: Tone.BAD,
}


@dataclass(frozen=True, slots=True)
class RefundLine:
    """`problem` says why a refund did not go through and what next; empty for the others."""

    pk: str
    status: SafeString
    amount: str
    reason: str
    by: str
    requested: str
    finished: str
    problem: str
    error: str
    receipt: str


class RefundStanding(StandingFilter):
    def open_rows(self, rows: QuerySet[Refund]) -> QuerySet[Refund]:
        return open_refunds(rows)

    def settled_rows(self, rows: QuerySet[Refund]) -> QuerySet[Refund]:
        return settled_refunds(rows)


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    styles = ("payments/payment_admin.css",)
    list_display = ("status_badge", "amount_text", "customer", "reason", "requested")
    sortable_by = ("amount_text", "requested")
    list_display_links = ("status_badge", "amount_text")
    list_filter = (RefundStanding, "status", "created_at")
    list_select_related = ("requested_by",)
    date_hierarchy = "created_at"
    # What is searched is up to `find`.
    search_fields = ("id",)
    search_help_text = gettext_lazy(
        "Client's address, telephone or name, amount, last digits of the card, order number (8 characters), or an id"
    )
    ordering = ("-created_at", "-id")
    fields = (
        *("status_badge", "problem", "technical", "amount_text", "payment_link", "customer", "reason", "requested"),
        *("finished", "receipt", "number", "external_id", "request_text"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        rows: QuerySet[Refund] = super().get_queryset(request).select_related("requested_by")
        # No join with Supabase's row: a refund of a payment whose row was deleted is a refund as well.
        rows = rows.prefetch_related("payment__user")
        return rows.defer("request_body") if self.is_list(request) else rows

    def get_fields(self, request: HttpRequest, obj: Refund | None = None) -> Any:
        """What is wrong is shown only where something is."""
        fine = {"technical"} if obj is None or not obj.error else set()
        if obj is None or not refund_problem(obj):
            fine.add("problem")
        if obj is None or not refund_receipt_text(obj):
            fine.add("receipt")
        return [field for field in self.fields if field not in fine]

    def find(self, rows: QuerySet[Refund], text: str) -> QuerySet[Refund]:
        payments = search_payments(Payment.objects.all(), text)
        deleted = search_checkouts(without_row(), text)
        of_payments = Q(payment_id__in=payments.values("pk")) | Q(payment_id__in=deleted.values("pk"))
        amount = read_amount(text)
        own = Q(external_id=text) if amount is None else Q(external_id=text) | Q(amount=amount)
        return rows.filter(own | of_payments)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, refund: Refund) -> SafeString:
        return refund_badge(refund)

    @admin.display(description=gettext_lazy("amount"), ordering="amount")
    def amount_text(self, refund: Refund) -> str:
        return money(refund.amount, refund.currency)

    @admin.display(description=gettext_lazy("customer"))
    def customer(self, refund: Refund) -> str:
        try:
            payment = refund.payment
        except Payment.DoesNotExist:
            found = get_stand_in(str(refund.payment_id))
            return "—" if found is None else shown_customer(found)
        return shown_customer(payment)

    @admin.display(description=gettext_lazy("requested"), ordering="created_at")
    def requested(self, refund: Refund) -> str:
        who = refund.requested_by.get_username() if refund.requested_by is not None else ""
        return two_lines(moment(refund.created_at), who)

    @admin.display(description=gettext_lazy("finished"), ordering="finished_at")
    def finished(self, refund: Refund) -> str:
        return moment(refund.finished_at)

    @admin.display(description=gettext_lazy("fiscal receipt"))
    def receipt(self, refund: Refund) -> str:
        return refund_receipt_text(refund)

    @admin.display(description=gettext_lazy("number of the refund"))
    def number(self, refund: Refund) -> str:
        return str(refund.pk)

    @admin.display(description=gettext_lazy("what to do"))
    def problem(self, refund: Refund) -> str:
        return refund_problem(refund)

    @admin.display(description=gettext_lazy("technical details"))
    def technical(self, refund: Refund) -> SafeString:
        return in_code(refund.error)

    @admin.display(description=gettext_lazy("payment"))
    def payment_link(self, refund: Refund) -> SafeString:
        address = reverse("admin:payments_payment_change", args=[refund.payment_id])
        return format_html('<a href="{}">{}</a>', address, refund.payment_id)

    @admin.display(description=gettext_lazy("request to YooKassa"))
    def request_text(self, refund: Refund) -> str:
        return pretty_json(refund.request_body)


def refunds_of(payment: Payment) -> list[RefundLine]:
    rows = Refund.objects.filter(payment_id=payment.pk).select_related("requested_by").order_by("-created_at")
    return [_line(row) for row in rows]


def _line(row: Refund) -> RefundLine:
    return RefundLine(
        pk=str(row.pk),
        status=refund_badge(row),
        amount=money(row.amount, row.currency),
        reason=row.reason,
        by=row.requested_by.get_username() if row.requested_by is not None else "",
        requested=moment(row.created_at),
        finished=moment(row.finished_at),
        problem=refund_problem(row),
        error=row.error,
        receipt=refund_receipt_text(row),
    )


def refund_receipt_text(row: Refund) -> str:
    """How the receipt of a refund stands; empty where there is none."""
    if row.status != RefundStatus.SUCCEEDED or not row.receipt_registration:
        return ""
    return str(receipt_name(row.receipt_registration))


def refund_problem(row: Refund) -> str:
    """Why a refund did not go through, who refused it, and what staff can do; empty for the others."""
    if row.status == RefundStatus.REJECTED:
        return str(REFUND_NOT_SENT if row.error == NOT_SENT else REFUND_NOT_TAKEN)
    if row.status != RefundStatus.CANCELED:
        return ""
    advice = refund_advice(row.cancellation_reason)
    return f"{told_with_party(advice.what, row.cancellation_party)} {advice.next_step}"


def refund_badge(refund: Refund) -> SafeString:
    return badge(refund.get_status_display(), _TONES[RefundStatus(refund.status)])
