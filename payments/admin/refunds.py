"""All refunds, to look through."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from payments.admin.badges import refund_badge
from payments.admin.deleted_rows import get_stand_in
from payments.admin.related import refund_problem, refund_receipt_text
from payments.admin.search import search_checkouts, search_payments
from payments.ledger.deleted_rows import without_row
from payments.models import Payment, Refund
from staff.formats import moment, money, pretty_json, two_lines
from staff.read_only import ReadOnlyAdmin
from wording.addresses import breakable_address


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    styles = ("payments/payment_admin.css",)
    list_display = ("status_badge", "amount_text", "customer", "reason", "requested")
    list_display_links = ("status_badge", "amount_text")
    list_filter = ("status", "created_at")
    list_select_related = ("requested_by",)
    date_hierarchy = "created_at"
    # What is searched is up to `find`.
    search_fields = ("id",)
    search_help_text = gettext_lazy("Client's address, order number (8 characters), or the id of a payment or refund")
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
        return rows.filter(Q(external_id=text) | of_payments)

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
            return "—" if found is None else breakable_address(found.user.email or str(found.user_id))
        return breakable_address(payment.user.email or str(payment.user_id))

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
        return format_html("<code>{}</code>", refund.error)

    @admin.display(description=gettext_lazy("payment"))
    def payment_link(self, refund: Refund) -> SafeString:
        address = reverse("admin:payments_payment_change", args=[refund.payment_id])
        return format_html('<a href="{}">{}</a>', address, refund.payment_id)

    @admin.display(description=gettext_lazy("request to YooKassa"))
    def request_text(self, refund: Refund) -> str:
        return pretty_json(refund.request_body)
